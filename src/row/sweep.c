/*-------------------------------------------------------------------------
 *
 * src/row/sweep.c
 *	  Collecting tombstones, and counting those that stay.
 *
 * A sweep reads topgun.tombstone once, from the first block to the last, in
 * steps that are transactions of their own.  In each it raises the floor and
 * deletes what is not needed any more; vacuum takes it away.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/database.h"
#include "base/guc.h"
#include "clock/hlc.h"
#include "row/gc_floor.h"
#include "row/stamp.h"
#include "row/sweep.h"
#include "row/tombstone.h"
#include "storage/bufmgr.h"
#include "storage/lwlock.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define STEP_TOMBSTONES		10000	/* deleted in one transaction */
#define RECOUNT_MS			60000	/* when the table's size has changed */

typedef struct SharedCount
{
	int			database;		/* slot + 1; 0: free, and so are those behind */
	TgTableCount of;
} SharedCount;

typedef struct SweepShared
{
	LWLock	   *lock;			/* protects the rest */
	bool		is_known[TG_MAX_DATABASES];
	int			ncounts;
	SharedCount counts[TG_SWEEP_TABLES];
} SweepShared;

static SweepShared *shared = NULL;

static int
compare_kept(const void *left, const void *right)
{
	const TgKeptKey *a = left;
	const TgKeptKey *b = right;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/*
 * Bring the keys into the order in which they are looked up.
 */
void
tg_kept_keys_sort(TgKeptKeys *kept)
{
	qsort(kept->keys, kept->nkeys, sizeof(TgKeptKey), compare_kept);
}

static bool
is_kept(const TgKeptKeys *kept, TgTableId table, int32 hash)
{
	TgKeptKey	key = {table, hash};

	return kept->nkeys > 0 &&
		bsearch(&key, kept->keys, kept->nkeys, sizeof(TgKeptKey), compare_kept) != NULL;
}

static void
count_one(TgSweep *sweep, TgTableId table)
{
	int			i;

	for (i = 0; i < sweep->ncounts; i++)
		if (sweep->counts[i].table == table)
			break;
	if (i == TG_SWEEP_TABLES)
		return;
	if (i == sweep->ncounts)
	{
		sweep->counts[i].table = table;
		sweep->counts[i].count = 0;
		sweep->ncounts++;
	}
	sweep->counts[i].count++;
}

/*
 * What this sweep has counted takes the place of what the last one has.
 */
static void
publish_counts(TgSweep *sweep)
{
	int			slot = tg_database_slot();
	int			n = 0;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->ncounts; i++)
		if (shared->counts[i].database != slot + 1)
			shared->counts[n++] = shared->counts[i];
	for (int i = 0; i < sweep->ncounts && n < TG_SWEEP_TABLES; i++)
		shared->counts[n++] = (SharedCount)
	{
		slot + 1, sweep->counts[i]
	};
	shared->ncounts = n;
	shared->is_known[slot] = true;
	LWLockRelease(shared->lock);
}

/*
 * How many tombstones a table had when they were counted last; -1 if that was
 * not since the server start.
 */
int64
tg_tombstone_count(TgTableId table)
{
	int			slot = tg_database_slot();
	int64		count;

	LWLockAcquire(shared->lock, LW_SHARED);
	count = shared->is_known[slot] ? 0 : -1;
	for (int i = 0; i < shared->ncounts; i++)
		if (shared->counts[i].database == slot + 1 && shared->counts[i].of.table == table)
			count = shared->counts[i].of.count;
	LWLockRelease(shared->lock);
	return count;
}

/*
 * Is it worth reading all tombstones?  In the long run one of eight is
 * collected each time: what bound has to move is that share of what is kept.
 */
static bool
is_worthwhile(const TgSweep *sweep, TgStamp bound, BlockNumber blocks)
{
	uint64		share_ms = (uint64) tg_tombstone_retention_s * 1000 / 8;
	BlockNumber changed = blocks > sweep->blocks ? blocks - sweep->blocks : sweep->blocks - blocks;

	if (sweep->counted_at == 0)
		return true;
	if (bound > sweep->bound && tg_stamp_ms(bound) - tg_stamp_ms(sweep->bound) >= share_ms)
		return true;
	return changed > sweep->blocks / 8 &&
		TimestampDifferenceExceeds(sweep->counted_at, GetCurrentTimestamp(), RECOUNT_MS);
}

/*
 * Delete the tombstone unless somebody else is replacing it now.
 */
static bool
try_delete(Relation rel, HeapTuple tuple)
{
	TM_FailureData failure;

	return heap_delete(rel, &tuple->t_self, GetCurrentCommandId(true),
					   InvalidSnapshot, false, &failure, false) == TM_Ok;
}

/*
 * Collect the tombstone, or count it.  Returns its stamp if it was collected.
 */
static TgStamp
visit(TgSweep *sweep, Relation rel, HeapTuple tuple, TgStamp bound, const TgKeptKeys *kept)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	TgStamp		stamp = DatumGetTgStamp(heap_getattr(tuple, TG_TOMBSTONE_STAMP, desc, &isnull));
	TgTableId	table = DatumGetInt32(heap_getattr(tuple, TG_TOMBSTONE_TABLE, desc, &isnull));
	int32		hash = DatumGetInt32(heap_getattr(tuple, TG_TOMBSTONE_HASH, desc, &isnull));

	if (stamp <= bound && !is_kept(kept, table, hash) && try_delete(rel, tuple))
		return stamp;
	count_one(sweep, table);
	return TG_NO_STAMP;
}

/*
 * Read on from where the last step has stopped.  True if there is more.
 */
static bool
read_blocks(TgSweep *sweep, Relation rel, TgStamp bound, const TgKeptKeys *kept, Snapshot snapshot)
{
	TableScanDesc scan = table_beginscan_strat(rel, snapshot, 0, NULL, true, false);
	BlockNumber blocks = ((HeapScanDesc) scan)->rs_nblocks;
	BlockNumber block = sweep->next;
	TgStamp		greatest = TG_NO_STAMP;
	int			ncollected = 0;
	HeapTuple	tuple = NULL;

	if (sweep->next < blocks)
	{
		heap_setscanlimits(scan, sweep->next, blocks - sweep->next);
		tuple = heap_getnext(scan, ForwardScanDirection);
	}
	for (; tuple != NULL; tuple = heap_getnext(scan, ForwardScanDirection))
	{
		TgStamp		stamp;

		/* stop between two blocks, so that none is read twice */
		if (ncollected >= STEP_TOMBSTONES && block != ItemPointerGetBlockNumber(&tuple->t_self))
			break;
		block = ItemPointerGetBlockNumber(&tuple->t_self);
		stamp = visit(sweep, rel, tuple, bound, kept);
		if (stamp == TG_NO_STAMP)
			continue;
		ncollected++;
		greatest = Max(greatest, stamp);
	}
	sweep->next = tuple == NULL ? 0 : ItemPointerGetBlockNumber(&tuple->t_self);
	table_endscan(scan);

	/* still in this transaction, so before anybody misses one of them */
	if (greatest != TG_NO_STAMP)
		tg_gc_floor_raise(greatest);
	return sweep->next != 0;
}

/*
 * One step: collect tombstones up to the bound, but for those of kept keys.
 * Not more than so many; true if there are more, for a transaction of its own.
 * The snapshot is the one that the bound and the kept keys were taken from.
 */
bool
tg_sweep_step(TgSweep *sweep, TgStamp bound, const TgKeptKeys *kept, Snapshot snapshot)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TOMBSTONE), RowExclusiveLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);

	if (sweep->next == 0)
	{
		if (!is_worthwhile(sweep, bound, blocks))
		{
			table_close(rel, RowExclusiveLock);
			return false;
		}
		sweep->ncounts = 0;
		sweep->bound = bound;
	}
	if (read_blocks(sweep, rel, bound, kept, snapshot))
	{
		table_close(rel, NoLock);
		return true;
	}
	publish_counts(sweep);
	sweep->blocks = blocks;
	sweep->counted_at = GetCurrentTimestamp();
	table_close(rel, NoLock);
	return false;
}

Size
tg_sweep_shmem_size(void)
{
	return sizeof(SweepShared);
}

void
tg_sweep_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun sweep")->lock;
}
