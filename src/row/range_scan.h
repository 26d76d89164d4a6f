/*-------------------------------------------------------------------------
 *
 * src/row/range_scan.h
 *	  Rows of one relation whose keys lie in a range, in the order of keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_RANGE_SCAN_H
#define TG_ROW_RANGE_SCAN_H

#include "access/genam.h"
#include "row/table.h"
#include "utils/snapshot.h"

typedef struct TgRangeScan
{
	Relation	rel;			/* not partitioned; the caller keeps it open */
	TgTable    *table;
	Relation	index;			/* of the primary key */
	IndexScanDesc scan;
	TupleTableSlot *row;		/* the current row */
	MemoryContext context;		/* of all this */
} TgRangeScan;

extern void tg_range_scan_begin(TgRangeScan *range, Relation rel, Snapshot snapshot,
								TgBytes after, TgBytes upto);
extern bool tg_range_scan_next(TgRangeScan *range);
extern void tg_range_scan_end(TgRangeScan *range);

#endif							/* TG_ROW_RANGE_SCAN_H */
