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
#include "access/transam.h"
#include "base/catalog.h"
#include "catalog/indexing.h"
#include "journal/inflight.h"
#include "merge/change.h"
#include "merge/review.h"
#include "merge/unverified.h"
#include "row/stamp.h"
#include "storage/procarray.h"
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
 * A deletion can be reviewed once every transaction has ended that ran when it
 * became visible.  So each review looks at those that were visible at the
 * review before, after all that ran then have ended.
 */
typedef struct Settled
{
	TransactionId visible;		/* what was written before it, was visible */
	TransactionId running;		/* what ran then, began before it */
} Settled;

static Settled
settled_now(void)
{
	Settled		now;

	now.visible = GetOldestActiveTransactionId();
	now.running = XidFromFullTransactionId(ReadNextFullTransactionId());
	return now;
}

static bool
review_one(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	bytea	   *key = DatumGetByteaP(heap_getattr(tuple, TG_UNVERIFIED_KEY, desc, &isnull));
	TgChange	deletion = {
		.kind = TG_CHANGE_DELETE,
		.stamp = DatumGetTgStamp(heap_getattr(tuple, TG_UNVERIFIED_STAMP, desc, &isnull)),
		.payload = tg_bytes_of_varlena(key)
	};

	/* it may have taken its stamp and not begun to write */
	if (tg_inflight_older_writer(deletion.stamp))
		return false;
	merge_again(DatumGetInt32(heap_getattr(tuple, TG_UNVERIFIED_TABLE, desc, &isnull)), &deletion);
	return true;
}

static void
review_visible_before(TransactionId xid)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_UNVERIFIED), RowExclusiveLock);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		if (TransactionIdPrecedes(HeapTupleHeaderGetXmin(tuple->t_data), xid) &&
			review_one(tuple, RelationGetDescr(rel)))
			CatalogTupleDelete(rel, &tuple->t_self);
	}
	table_endscan(scan);
	table_close(rel, NoLock);
}

/*
 * Merge those deletions again that no older row can follow any more.  Runs in
 * a transaction of its own, every now and then; returns false, since what is
 * left has to wait.
 */
bool
tg_review_deletions(void)
{
	static Settled last;

	if (!TransactionIdIsValid(last.running))
		last = settled_now();
	else if (!TransactionIdPrecedes(GetOldestActiveTransactionId(), last.running))
	{
		review_visible_before(last.visible);
		last = settled_now();
	}
	return false;
}
