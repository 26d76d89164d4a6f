/*-------------------------------------------------------------------------
 *
 * src/merge/unverified.c
 *	  Merged deletions that an older local write may still come after.
 *
 * A local transaction takes the stamp of a row before it inserts it.  If the
 * deletion of that key, with a later stamp, is merged in between, the row
 * comes to stand beside a newer tombstone.  So as long as a local transaction
 * with an older stamp is in flight, the deletion is noted in
 * topgun.unverified, and merged once more when those have ended.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/catalog.h"
#include "catalog/indexing.h"
#include "journal/inflight.h"
#include "merge/change.h"
#include "merge/unverified.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	COLUMN_STAMP = 1, COLUMN_TABLE, COLUMN_KEY, COLUMNS = COLUMN_KEY
};

/*
 * A deletion has been merged: note it if an older local write may follow.
 */
void
tg_unverified_note(TgTableId table, const TgChange *deletion)
{
	Relation	rel;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};

	if (!tg_inflight_older_writer(deletion->stamp))
		return;

	values[COLUMN_STAMP - 1] = TgStampGetDatum(deletion->stamp);
	values[COLUMN_TABLE - 1] = Int32GetDatum(table);
	values[COLUMN_KEY - 1] =
		PointerGetDatum(cstring_to_text_with_len(deletion->payload.data, deletion->payload.len));
	rel = table_open(tg_catalog_oid(TG_CAT_UNVERIFIED), RowExclusiveLock);
	tg_catalog_insert(rel, values, nulls);
	table_close(rel, RowExclusiveLock);
}

static void
merge_again(TgTableId table, const TgChange *deletion)
{
	TgMerge		merge;
	TgTarget   *target;

	tg_merge_begin(&merge, 0, NULL);
	target = tg_merge_open_table(table, RowExclusiveLock);
	if (target != NULL)
	{
		tg_merge_change(&merge, target, deletion);
		tg_merge_close_table(target);
	}
	tg_merge_end(&merge);
}

/*
 * Merge those deletions again that no older local write can follow any more.
 * Runs in a transaction of its own; returns false if there was none.
 */
bool
tg_unverified_review(void)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_UNVERIFIED), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple;
	bool		reviewed = false;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		bytea	   *key = DatumGetByteaP(heap_getattr(tuple, COLUMN_KEY, desc, &isnull));
		TgChange	deletion = {
			.kind = TG_CHANGE_DELETE,
			.stamp = DatumGetTgStamp(heap_getattr(tuple, COLUMN_STAMP, desc, &isnull)),
			.payload = {VARDATA(key), VARSIZE(key) - VARHDRSZ}
		};

		if (tg_inflight_older_writer(deletion.stamp))
			continue;
		merge_again(DatumGetInt32(heap_getattr(tuple, COLUMN_TABLE, desc, &isnull)), &deletion);
		CatalogTupleDelete(rel, &tuple->t_self);
		reviewed = true;
	}
	table_endscan(scan);
	table_close(rel, NoLock);
	return reviewed;
}
