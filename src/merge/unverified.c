/*-------------------------------------------------------------------------
 *
 * src/merge/unverified.c
 *	  Merged deletions that an older row may still come after.
 *
 * The deletion of a key that is not here leaves a tombstone.  Another
 * transaction, local or merging, may be about to insert an older row of that
 * key: it has looked for tombstones before ours was visible, and we have
 * looked for the row before it was.  So the deletion is merged once more when
 * all transactions that might have done so have ended.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/catalog.h"
#include "merge/unverified.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/rel.h"

/*
 * A deletion of an absent key has been merged: note it.
 */
void
tg_unverified_note(TgTableId table, const TgChange *deletion)
{
	Relation	rel;
	Datum		values[TG_UNVERIFIED_COLUMNS];
	bool		nulls[TG_UNVERIFIED_COLUMNS] = {0};

	values[TG_UNVERIFIED_STAMP - 1] = TgStampGetDatum(deletion->stamp);
	values[TG_UNVERIFIED_TABLE - 1] = Int32GetDatum(table);
	values[TG_UNVERIFIED_KEY - 1] =
		PointerGetDatum(cstring_to_text_with_len(deletion->payload.data, deletion->payload.len));
	rel = table_open(tg_catalog_oid(TG_CAT_UNVERIFIED), RowExclusiveLock);
	tg_catalog_insert(rel, values, nulls);
	table_close(rel, RowExclusiveLock);
}

/*
 * The least stamp of those that are noted, TG_NO_STAMP if none is.
 */
TgStamp
tg_unverified_oldest(Snapshot snapshot)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_UNVERIFIED), AccessShareLock);
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TgStamp		oldest = TG_NO_STAMP;
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		TgStamp		stamp = DatumGetTgStamp(heap_getattr(tuple, TG_UNVERIFIED_STAMP,
														 RelationGetDescr(rel), &isnull));

		if (oldest == TG_NO_STAMP || stamp < oldest)
			oldest = stamp;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	return oldest;
}
