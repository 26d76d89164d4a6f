/*-------------------------------------------------------------------------
 *
 * src/merge/review.c
 *	  Merging again the deletions that were noted as unverified.
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
#include "merge/review.h"
#include "merge/unverified.h"
#include "row/stamp.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

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
tg_review_deletions(void)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_UNVERIFIED), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple;
	bool		reviewed = false;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		bytea	   *key = DatumGetByteaP(heap_getattr(tuple, TG_UNVERIFIED_KEY, desc, &isnull));
		TgChange	deletion = {
			.kind = TG_CHANGE_DELETE,
			.stamp = DatumGetTgStamp(heap_getattr(tuple, TG_UNVERIFIED_STAMP, desc, &isnull)),
			.payload = tg_bytes_of_varlena(key)
		};

		if (tg_inflight_older_writer(deletion.stamp))
			continue;
		merge_again(DatumGetInt32(heap_getattr(tuple, TG_UNVERIFIED_TABLE, desc, &isnull)), &deletion);
		CatalogTupleDelete(rel, &tuple->t_self);
		reviewed = true;
	}
	table_endscan(scan);
	table_close(rel, NoLock);
	return reviewed;
}
