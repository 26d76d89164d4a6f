/*-------------------------------------------------------------------------
 *
 * src/merge/import.c
 *	  Merge many changes that get fresh stamps, in few steps.
 *
 * What the ordinary way does for each change is done for all together: rows
 * that are not here are inserted page by page, and the triggers fire at the
 * end.  The order for each key is the same, key first: the row is in the index
 * before its tombstone is looked for.
 *
 * A row has a stamp that this transaction has made, so the capture trigger
 * takes it for a local write, which it is.  If anything is in the way, as a
 * row of the same key that came meanwhile, an error undoes all, and the caller
 * goes the ordinary way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "base/failpoint.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "journal/stamping.h"
#include "merge/change.h"
#include "merge/import.h"
#include "merge/load.h"
#include "merge/quarantine.h"
#include "merge/write.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "row/tombstone.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Rows that are not here, to be inserted together. */
typedef struct Absent
{
	int			n;
	TupleDesc	desc;			/* a copy, which costs nothing to refer to */
	TupleTableSlot **rows;
	const TgChange **changes;
} Absent;

typedef struct Import
{
	TgMerge    *merge;
	TgTarget   *target;
	TgLeaf	   *leaf;
	Absent		absent;
} Import;

static void
stamp_row(TgLeaf *leaf, TgStamp replaced)
{
	int			column = leaf->table->stamp_attno - 1;

	leaf->row->tts_values[column] = TgStampGetDatum(tg_write_stamp_after(replaced));
	leaf->row->tts_isnull[column] = false;
}

static void
start_over(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("row was deleted while it was merged")));
}

static void
keep_absent(Import *import, const TgChange *change)
{
	Absent	   *absent = &import->absent;
	TgLeaf	   *leaf = import->leaf;

	stamp_row(leaf, TG_NO_STAMP);
	tg_leaf_prepare(import->target, leaf, CMD_INSERT);
	if (absent->rows[absent->n] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(import->target->context);

		absent->rows[absent->n] = MakeSingleTupleTableSlot(absent->desc, table_slot_callbacks(leaf->rel));
		MemoryContextSwitchTo(old);
	}
	ExecCopySlot(absent->rows[absent->n], leaf->row);
	absent->changes[absent->n++] = change;
}

static bool
update_found(Import *import, const TgChange *change)
{
	TgLeaf	   *leaf = import->leaf;

	stamp_row(leaf, tg_slot_stamp(leaf->table, leaf->found));
	if (!tg_leaf_try_update(import->target, leaf))
		return false;
	import->merge->counts.applied++;
	return true;
}

/*
 * A row that may be merged.  False if somebody else is writing it.
 */
static bool
import_row(Import *import, const TgChange *change)
{
	TgLeaf	   *leaf = import->leaf;
	TgVerdict	verdict;

	if (!tg_leaf_find_settled(leaf))
	{
		keep_absent(import, change);
		return true;
	}
	verdict = tg_merge_judge(leaf, change);
	if (verdict == THEIRS_NEWER)
		return update_found(import, change);
	if (verdict == SAME)
		import->merge->counts.equal++;
	else
		import->merge->counts.older++;
	return true;
}

/*
 * The way of one change.  False if it has to go the ordinary way.
 */
static bool
import_change(Import *import, const TgChange *change)
{
	StringInfoData key_buf;
	TgBytes		key;

	if (change->kind != TG_CHANGE_ROW)
		return false;
	initStringInfo(&key_buf);
	tg_change_load(import->target, change, &key_buf);
	key = tg_bytes_of_buf(&key_buf);
	if (!tg_merge_lets_pass(import->target, key, change->stamp))
		import->merge->counts.older++;
	else if (!import_row(import, change))
		return false;
	else
		tg_quarantine_resolve(import->target, key, change->stamp);
	return true;
}

/*
 * The tombstones can be older than what decides, or newer than the row itself
 * if they came meanwhile.
 */
static TgStamp
least_stamp(TgTable *table, const TgChange *change, TupleTableSlot *row)
{
	return Min(change->stamp, tg_slot_stamp(table, row));
}

static TgStamp
least_of_all(Import *import)
{
	TgStamp		least = PG_UINT64_MAX;

	for (int i = 0; i < import->absent.n; i++)
		least = Min(least, least_stamp(import->leaf->table, import->absent.changes[i],
									   import->absent.rows[i]));
	return least;
}

/*
 * A row that was deleted goes again, before any trigger knows of it.
 */
static void
take_back(Import *import, int i, TgStamp tombstone)
{
	const TgChange *change = import->absent.changes[i];

	if (tombstone < change->stamp)
		start_over();
	simple_table_tuple_delete(import->leaf->rel, &import->absent.rows[i]->tts_tid, GetActiveSnapshot());
	import->merge->counts.older++;
	import->absent.changes[i] = NULL;
}

/*
 * The keys are taken; now see which of them have been deleted.
 */
static void
look_for_tombstones(Import *import)
{
	TgLeaf	   *leaf = import->leaf;
	Snapshot	snapshot;
	bool		any;

	if (!tg_tombstone_may_exceed(least_of_all(import)))
		return;
	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	any = tg_tombstone_any(leaf->table, snapshot);
	for (int i = 0; any && i < import->absent.n; i++)
	{
		TupleTableSlot *row = import->absent.rows[i];
		TgStamp		least = least_stamp(leaf->table, import->absent.changes[i], row);
		StringInfoData key;
		TgStamp		tombstone;

		if (!tg_tombstone_may_exceed(least))
			continue;
		initStringInfo(&key);
		tg_key_write(leaf->table->key, row, &key);
		tombstone = tg_tombstone_find(leaf->table, tg_bytes_of_buf(&key), snapshot);
		if (tombstone != TG_NO_STAMP && tombstone >= least)
			take_back(import, i, tombstone);
		pfree(key.data);
	}
	UnregisterSnapshot(snapshot);
}

static void
insert_absent(Import *import)
{
	Absent	   *absent = &import->absent;
	TgLeaf	   *leaf = import->leaf;

	TG_FAILPOINT("merge-before-insert");
	if (absent->n == 0)
		return;
	table_multi_insert(leaf->rel, absent->rows, absent->n, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < absent->n; i++)
	{
		tg_leaf_index(import->target, leaf, absent->rows[i]);
		ResetPerTupleExprContext(import->target->estate);
	}
	look_for_tombstones(import);
	for (int i = 0; i < absent->n; i++)
	{
		if (absent->changes[i] == NULL)
			continue;
		ExecARInsertTriggers(import->target->estate, leaf->rri, absent->rows[i], NIL, NULL);
		import->merge->counts.applied++;
	}
}

static void
import_rows(Import *import, const TgChange **changes, int nchanges)
{
	int			nleft = 0;

	AfterTriggerBeginQuery();
	for (int i = 0; i < nchanges; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(import->merge->scratch);

		CHECK_FOR_INTERRUPTS();
		if (!import_change(import, changes[i]))
			changes[nleft++] = changes[i];
		ResetPerTupleExprContext(import->target->estate);
		MemoryContextSwitchTo(old);
		MemoryContextReset(import->merge->scratch);
	}
	insert_absent(import);
	AfterTriggerEndQuery(import->target->estate);
	CommandCounterIncrement();

	for (int i = 0; i < nleft; i++)
		tg_merge_change(import->merge, import->target, changes[i]);
}

/*
 * Merge changes of different keys into a table opened by
 * tg_merge_open_table().  Errors out if one of them cannot be applied; then
 * the subtransaction must be rolled back.  The array is scribbled on.
 */
void
tg_merge_import(TgMerge *merge, TgTarget *target, const TgChange **changes, int nchanges)
{
	Import		import = {.merge = merge,.target = target,.leaf = target->only_leaf};

	Assert(merge->is_import);

	if (import.leaf == NULL)
	{
		for (int i = 0; i < nchanges; i++)
			tg_merge_change(merge, target, changes[i]);
		return;
	}
	import.absent.desc = CreateTupleDescCopy(RelationGetDescr(import.leaf->rel));
	import.absent.rows = palloc0(nchanges * sizeof(TupleTableSlot *));
	import.absent.changes = palloc(nchanges * sizeof(TgChange *));
	import_rows(&import, changes, nchanges);
	for (int i = 0; i < nchanges && import.absent.rows[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(import.absent.rows[i]);
}
