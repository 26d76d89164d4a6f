/*-------------------------------------------------------------------------
 *
 * src/merge/together.c
 *	  Merge many changes of one table in few steps.
 *
 * What the ordinary way does for each change is done for all together: rows
 * that are not here are inserted page by page, and the triggers fire at the
 * end.  The order for each key is the same, key first: the row is in the index
 * before its tombstone is looked for.  What is out of the ordinary, as the
 * deletion of a row that is not here, goes the ordinary way after all.
 *
 * The interleavings with another transaction on the same key are those of
 * change.c; here they are settled so:
 *
 *	it has inserted and not ended		the dirty look-up finds it; wait, look again
 *	it inserts after the look-up,		the unique index raises an error
 *	or there was none
 *	it updates or deletes the row we found	our update or deletion does not find
 *										the row any more: the ordinary way
 *	it has deleted and ended			look-up finds nothing, our insert takes the
 *										key, a fresh snapshot has the tombstone: the
 *										row is taken back
 *
 * An error undoes all; the caller goes the ordinary way then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/hio.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/failpoint.h"
#include "executor/executor.h"
#include "merge/change.h"
#include "merge/conflict.h"
#include "merge/load.h"
#include "merge/quarantine.h"
#include "merge/together.h"
#include "merge/write.h"
#include "merge/written.h"
#include "miscadmin.h"
#include "row/gap.h"
#include "row/stamp.h"
#include "row/tombstone.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define BULK_ROWS	1000		/* so many at once are a bulk insertion */

/* Rows of one leaf that are not here, to be inserted together. */
typedef struct TgAbsent
{
	TgLeaf	   *leaf;
	struct TgAbsent *next;		/* of another leaf */
	TgGap	   *gap;			/* where no row is */
	TupleDesc	desc;			/* a copy, which costs nothing to refer to */
	int			n;
	int			max;
	TupleTableSlot **rows;
	const TgChange **changes;	/* NULL: the row was taken back */
} TgAbsent;

typedef struct Together
{
	TgMerge    *merge;
	TgTarget   *target;
	MemoryContext context;		/* lives as long as this */
	TgAbsent   *absent;
	TgWritten	written;
	const TgChange **left;		/* for the ordinary way */
	int			nleft;
} Together;

/*
 * Something has come in between that only the ordinary way deals with.
 */
static void
give_up(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("row was deleted while it was merged")));
}

static TgAbsent *
absent_of(Together *all, TgLeaf *leaf)
{
	TgAbsent   *absent = leaf->absent;

	if (absent != NULL)
		return absent;
	absent = MemoryContextAllocZero(all->context, sizeof(TgAbsent));
	absent->leaf = leaf;
	absent->next = all->absent;
	return all->absent = leaf->absent = absent;
}

static void
grow(Together *all, TgAbsent *absent)
{
	MemoryContext old = MemoryContextSwitchTo(all->context);

	if (absent->n == 0)
	{
		absent->max = 16;
		absent->desc = CreateTupleDescCopy(RelationGetDescr(absent->leaf->rel));
		absent->rows = palloc(absent->max * sizeof(TupleTableSlot *));
		absent->changes = palloc(absent->max * sizeof(TgChange *));
	}
	else
	{
		absent->max *= 2;
		absent->rows = repalloc(absent->rows, absent->max * sizeof(TupleTableSlot *));
		absent->changes = repalloc(absent->changes, absent->max * sizeof(TgChange *));
	}
	MemoryContextSwitchTo(old);
}

static void
keep_absent(Together *all, TgLeaf *leaf, const TgChange *change)
{
	TgAbsent   *absent = absent_of(all, leaf);
	MemoryContext old;

	tg_merge_stamp_row(all->merge, leaf, change, TG_NO_STAMP);
	tg_leaf_prepare(all->target, leaf, CMD_INSERT);
	if (absent->n == absent->max)
		grow(all, absent);
	old = MemoryContextSwitchTo(all->context);
	absent->rows[absent->n] = MakeSingleTupleTableSlot(absent->desc, table_slot_callbacks(leaf->rel));
	MemoryContextSwitchTo(old);
	ExecCopySlot(absent->rows[absent->n], leaf->row);
	absent->changes[absent->n++] = change;
}

/*
 * The row may have been deleted here, and the tombstone collected.
 */
static bool
is_in_doubt(TgMerge *merge, const TgChange *change)
{
	return merge->doubt != TG_DOUBT_NEVER && tg_stamp_is_doubtful(change->stamp);
}

static bool
write_found(Together *all, TgLeaf *leaf, const TgChange *change)
{
	TgStamp		ours = tg_slot_stamp(leaf->table, leaf->found);

	if (change->kind == TG_CHANGE_DELETE)
	{
		if (!tg_leaf_try_delete(leaf))
			return false;
		tg_written_delete(&all->written, leaf, tg_merge_stamp(all->merge, change, ours));
		all->merge->counts.deleted++;
		return true;
	}
	tg_merge_stamp_row(all->merge, leaf, change, ours);
	if (!tg_leaf_try_update(all->target, leaf))
		return false;
	tg_written_update(&all->written, leaf, &leaf->found->tts_tid);
	return true;
}

/*
 * The key is here.  False if somebody else has just written it.
 */
static bool
merge_found(Together *all, TgLeaf *leaf, const TgChange *change)
{
	TgVerdict	verdict = tg_merge_judge(leaf, change);

	TG_FAILPOINT("merge-before-lock");
	if (verdict == THEIRS_NEWER && !write_found(all, leaf, change))
		return false;
	if (verdict != SAME)
		tg_conflict_check_row(all->merge, all->target, leaf, change, verdict == THEIRS_NEWER);
	tg_merge_count(all->merge, verdict);
	return true;
}

/*
 * Look a row up, unless it is certainly new.
 */
static bool
find(Together *all, TgLeaf *leaf, const TgChange *change)
{
	TgAbsent   *absent = absent_of(all, leaf);
	bool		found;

	if (change->kind != TG_CHANGE_ROW)
		return tg_leaf_find_settled(leaf);
	if (all->merge->expects_absent || tg_gap_has(absent->gap))
		return false;
	found = tg_leaf_find_settled(leaf);
	absent->gap = tg_gap_note(absent->gap, leaf, found);
	return found;
}

/*
 * A change whose key is not barred.  False if it has to go the ordinary way.
 */
static bool
merge_key(Together *all, const TgChange *change)
{
	TgLeaf	   *leaf = tg_target_route(all->target);

	if (find(all, leaf, change))
		return merge_found(all, leaf, change);
	if (change->kind != TG_CHANGE_ROW || is_in_doubt(all->merge, change))
		return false;
	keep_absent(all, leaf, change);
	return true;
}

static bool
merge_change(Together *all, const TgChange *change)
{
	StringInfoData key_buf;
	TgBytes		key;

	initStringInfo(&key_buf);
	tg_change_load(all->target, change, &key_buf);
	key = tg_bytes_of_buf(&key_buf);
	if (!tg_merge_lets_pass(all->target, key, change->stamp))
		tg_merge_count(all->merge, OURS_NEWER);
	else if (!merge_key(all, change))
		return false;
	else
		tg_quarantine_resolve(all->target, key, change->stamp);
	return true;
}

/*
 * The tombstones can be older than what decides, or newer than the row itself
 * if they came meanwhile.
 */
static TgStamp
least_stamp(TgAbsent *absent, int i)
{
	return Min(absent->changes[i]->stamp, tg_slot_stamp(absent->leaf->table, absent->rows[i]));
}

static TgStamp
least_of_all(TgAbsent *absent)
{
	TgStamp		least = PG_UINT64_MAX;

	for (int i = 0; i < absent->n; i++)
		least = Min(least, least_stamp(absent, i));
	return least;
}

/*
 * A row that was deleted goes again, before any trigger knows of it.
 */
static void
take_back(Together *all, TgAbsent *absent, int i, TgBytes key, TgStamp tombstone)
{
	const TgChange *change = absent->changes[i];

	if (tombstone < change->stamp)
		give_up();
	tg_conflict_check_deleted(all->merge, all->target, absent->rows[i], change, key);
	simple_table_tuple_delete(absent->leaf->rel, &absent->rows[i]->tts_tid, GetActiveSnapshot());
	tg_merge_count(all->merge, OURS_NEWER);
	absent->changes[i] = NULL;
}

static void
look_for_tombstone(Together *all, TgAbsent *absent, int i, Snapshot snapshot)
{
	TgTable    *table = absent->leaf->table;
	TgStamp		least = least_stamp(absent, i);
	StringInfoData key;
	TgStamp		tombstone;

	if (!tg_tombstone_may_exceed(least))
		return;
	initStringInfo(&key);
	tg_key_write(table->key, absent->rows[i], &key);
	tombstone = tg_tombstone_find(table, tg_bytes_of_buf(&key), snapshot);
	if (tombstone != TG_NO_STAMP && tombstone >= least)
		take_back(all, absent, i, tg_bytes_of_buf(&key), tombstone);
	pfree(key.data);
}

/*
 * The keys are taken; now see which of them have been deleted.
 */
static void
look_for_tombstones(Together *all, TgAbsent *absent)
{
	TgStamp		least = least_of_all(absent);

	if (tg_tombstone_may_exceed(least))
	{
		Snapshot	snapshot;

		CommandCounterIncrement();
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		if (tg_tombstone_any(absent->leaf->table, snapshot))
			for (int i = 0; i < absent->n; i++)
				look_for_tombstone(all, absent, i, snapshot);
		UnregisterSnapshot(snapshot);
	}

	/* was one collected meanwhile? */
	for (int i = 0; i < absent->n; i++)
		if (absent->changes[i] != NULL && is_in_doubt(all->merge, absent->changes[i]))
			give_up();
}

/*
 * What COPY has, too, so that many rows go through a few buffers: here the same
 * few for all transactions of this process.
 */
static BulkInsertState
begin_bulk_insert(void)
{
	static BufferAccessStrategy ring = NULL;
	BulkInsertState bulk = GetBulkInsertState();

	if (ring == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		ring = GetAccessStrategy(BAS_BULKWRITE);
		MemoryContextSwitchTo(old);
	}
	FreeAccessStrategy(bulk->strategy);
	bulk->strategy = ring;
	return bulk;
}

static void
end_bulk_insert(BulkInsertState bulk)
{
	bulk->strategy = NULL;
	FreeBulkInsertState(bulk);
}

static void
insert_rows(Relation rel, TgAbsent *absent, bool is_bulk)
{
	BulkInsertState bulk = is_bulk ? begin_bulk_insert() : NULL;

	table_multi_insert(rel, absent->rows, absent->n, GetCurrentCommandId(true), 0, bulk);
	if (is_bulk)
		end_bulk_insert(bulk);
}

static void
insert_absent(Together *all, TgAbsent *absent)
{
	TgLeaf	   *leaf = absent->leaf;

	if (absent->n == 0)
		return;
	TG_FAILPOINT("merge-before-insert");
	insert_rows(leaf->rel, absent, all->merge->expects_absent || absent->n >= BULK_ROWS);
	for (int i = 0; i < absent->n; i++)
	{
		tg_leaf_index(all->target, leaf, absent->rows[i]);
		ResetPerTupleExprContext(all->target->estate);
	}
	look_for_tombstones(all, absent);
	for (int i = 0; i < absent->n; i++)
	{
		if (absent->changes[i] == NULL)
			continue;
		tg_written_insert(&all->written, leaf, absent->rows[i]);
		tg_merge_count(all->merge, THEIRS_NEWER);
	}
}

/*
 * Write what can be written together, and fire the triggers.
 */
static void
write_together(Together *all, const TgChange **changes, int nchanges)
{
	tg_written_begin(&all->written, all->target, palloc(nchanges * sizeof(TgMergedRow)));
	for (int i = 0; i < nchanges; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(all->merge->scratch);

		CHECK_FOR_INTERRUPTS();
		if (!merge_change(all, changes[i]))
			all->left[all->nleft++] = changes[i];
		ResetPerTupleExprContext(all->target->estate);
		MemoryContextSwitchTo(old);
		MemoryContextReset(all->merge->scratch);
	}
	for (TgAbsent *absent = all->absent; absent != NULL; absent = absent->next)
		insert_absent(all, absent);

	tg_written_end(&all->written);
	CommandCounterIncrement();
}

static void
drop_absent(TgAbsent *absent)
{
	for (int i = 0; i < absent->n; i++)
		ExecDropSingleTupleTableSlot(absent->rows[i]);
	tg_gap_close(absent->gap);
	absent->leaf->absent = NULL;
}

/*
 * Merge rows and deletions into a table opened by tg_merge_open_table().  For
 * what is required see tg_merge_change(); but here any error, one that blames
 * a row as well as others, can mean no more than that these changes cannot be
 * merged together.  Then the subtransaction must be rolled back.
 */
void
tg_merge_together(TgMerge *merge, TgTarget *target, const TgChange **changes, int nchanges)
{
	Together	all = {
		.merge = merge,
		.target = target,
		.context = CurrentMemoryContext,
		.left = palloc(nchanges * sizeof(TgChange *))
	};

	write_together(&all, changes, nchanges);
	for (TgAbsent *absent = all.absent; absent != NULL; absent = absent->next)
		drop_absent(absent);
	for (int i = 0; i < all.nleft; i++)
		tg_merge_change(merge, target, all.left[i]);
}
