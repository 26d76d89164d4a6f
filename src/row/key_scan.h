/*-------------------------------------------------------------------------
 *
 * src/row/key_scan.h
 *	  Reading rows of a table in the order of their keys, from a key on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_KEY_SCAN_H
#define TG_ROW_KEY_SCAN_H

#include "row/target.h"

/* Where a scan begins. */
typedef struct TgKeyFrom
{
	MemoryContext context;		/* of the values; reset with each beginning */
	Datum		values[INDEX_MAX_KEYS];
	ScanKeyData key;
	ScanKeyData members[INDEX_MAX_KEYS];	/* of a key with several columns */
} TgKeyFrom;

extern bool tg_key_is_scannable(const TgLeaf *leaf);
extern IndexScanDesc tg_key_scan_create(TgLeaf *leaf);
extern void tg_key_scan_begin(IndexScanDesc scan, TgKeyFrom *from, TgLeaf *leaf, Snapshot snapshot);
extern bool tg_key_scan_next(IndexScanDesc scan, TgLeaf *leaf, int *max_steps);
extern void tg_key_scan_rest(IndexScanDesc scan);

extern void tg_key_values(TgLeaf *leaf, TupleTableSlot *slot, Datum *values);
extern int	tg_key_compare(TgLeaf *leaf, const Datum *values);

#endif							/* TG_ROW_KEY_SCAN_H */
