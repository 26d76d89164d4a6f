/*-------------------------------------------------------------------------
 *
 * src/bulk/row_scan.h
 *	  The rows of a replicated table, one after the other, as trees see them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_ROW_SCAN_H
#define TG_BULK_ROW_SCAN_H

#include "access/tableam.h"
#include "row/table.h"

typedef enum TgScanKind
{
	TG_SCAN_STAMPS,				/* keys and stamps, as the stored trees */
	TG_SCAN_CONTENTS			/* and the values of all columns */
} TgScanKind;

/* Of one relation, which is not partitioned. */
typedef struct TgRowScan
{
	Relation	rel;
	TgTable    *table;
	TableScanDesc scan;
	TupleTableSlot *slot;
	MemoryContext scratch;		/* reset with every row */
	StringInfoData key;			/* of the current row */
	StringInfoData image;		/* of its contents, if they were asked for */
} TgRowScan;

extern List *tg_scan_leaves(Oid relid);

extern void tg_row_scan_begin(TgRowScan *rows, Relation rel, TableScanDesc scan);
extern bool tg_row_scan_next(TgRowScan *rows);
extern TgStamp tg_row_scan_stamp(TgRowScan *rows);
extern uint64 tg_row_scan_digest(TgRowScan *rows, TgScanKind kind);
extern void tg_row_scan_end(TgRowScan *rows);

#endif							/* TG_BULK_ROW_SCAN_H */
