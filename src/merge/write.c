/*-------------------------------------------------------------------------
 *
 * src/merge/write.c
 *	  Insert, update and delete rows the way a merge does.
 *
 * What the executor would do, without its BEFORE triggers: the row was
 * decided where it was written.  AFTER triggers that are enabled for replicas
 * fire, the capture trigger among them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "merge/write.h"
#include "merge/written.h"
#include "row/gc_floor.h"
#include "row/tombstone.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * See that leaf->row may be written: generated columns, constraints.
 */
void
tg_leaf_prepare(TgTarget *target, TgLeaf *leaf, CmdType operation)
{
	TupleDesc	desc = RelationGetDescr(leaf->rel);

	leaf->row->tts_tableOid = leaf->relid;
	if (desc->constr && desc->constr->has_generated_stored)
		ExecComputeStoredGenerated(leaf->rri, target->estate, leaf->row, operation);
	if (desc->constr)
		ExecConstraints(leaf->rri, leaf->row, target->estate);
	if (leaf->rel->rd_rel->relispartition)
		ExecPartitionCheck(leaf->rri, leaf->row, target->estate, true);
}

/*
 * Deferred uniqueness is re-checked by triggers that do not fire for
 * replicas, so what looks like a conflict counts as one.
 */
static void
refuse_deferred_conflicts(TgLeaf *leaf, List *recheck_indexes)
{
	if (recheck_indexes != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("row violates a deferrable unique constraint of table \"%s\"",
						RelationGetRelationName(leaf->rel))));
}

/*
 * Is there, as of now, a tombstone of the key that is as new as the stamp?
 */
bool
tg_leaf_is_deleted(TgLeaf *leaf, TgStamp stamp, TgBytes key)
{
	Snapshot	snapshot;
	TgStamp		tombstone;

	if (!tg_tombstone_may_exceed(stamp))
		return false;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	tombstone = tg_tombstone_find(leaf->table, key, snapshot);
	UnregisterSnapshot(snapshot);
	return tombstone != TG_NO_STAMP && tombstone >= stamp;
}

/*
 * Can a tombstone that is as new as the stamp have been collected?  Ask after
 * looking for it: the floor is raised before a tombstone goes.
 */
bool
tg_stamp_is_doubtful(TgStamp stamp)
{
	return stamp <= tg_gc_floor() && stamp != TG_NO_STAMP;
}

/*
 * Insert leaf->row if its key is free.  The key is taken first, so that no
 * other row can come in between; then the tombstones are looked at, and one
 * as new as the row takes it back.  So does the doubt whether there has been
 * one, if the caller wants to know.  Needs an active snapshot.
 */
TgInsertResult
tg_leaf_insert(TgTarget *target, TgLeaf *leaf, TgStamp stamp, TgBytes key, bool may_doubt)
{
	List	   *arbiters = list_make1_oid(leaf->table->key_index);
	List	   *recheck;
	TransactionId xid = GetCurrentTransactionId();
	uint32		token;
	bool		conflict = false;
	bool		deleted;
	bool		doubtful;
	TgMergedRow expected;
	TgWritten	written;

	tg_leaf_prepare(target, leaf, CMD_INSERT);

	token = SpeculativeInsertionLockAcquire(xid);
	table_tuple_insert_speculative(leaf->rel, leaf->row, GetCurrentCommandId(true), 0, NULL, token);
	recheck = TgExecInsertIndexTuples(leaf->rri, leaf->row, target->estate,
									  false, true, &conflict, arbiters, false);
	deleted = !conflict && tg_leaf_is_deleted(leaf, stamp, key);
	doubtful = !conflict && !deleted && may_doubt && tg_stamp_is_doubtful(stamp);
	table_tuple_complete_speculative(leaf->rel, leaf->row, token,
									 !conflict && !deleted && !doubtful);
	SpeculativeInsertionLockRelease(xid);

	if (conflict)
		return TG_INSERT_KEY_TAKEN;
	if (deleted)
		return TG_INSERT_IS_DELETED;
	if (doubtful)
		return TG_INSERT_IS_DOUBTFUL;

	refuse_deferred_conflicts(leaf, list_delete_oid(recheck, leaf->table->key_index));
	tg_written_begin(&written, target, &expected);
	if (tg_slot_stamp(leaf->table, leaf->row) == stamp)
		tg_written_insert(&written, leaf, leaf->row);
	else
		tg_written_import(&written, leaf, leaf->row);
	tg_written_end(&written);
	return TG_INSERT_DONE;
}

/*
 * Make the index entries of a row that was inserted.
 */
void
tg_leaf_index(TgTarget *target, TgLeaf *leaf, TupleTableSlot *row)
{
	if (leaf->rri->ri_NumIndices > 0)
		refuse_deferred_conflicts(leaf, TgExecInsertIndexTuples(leaf->rri, row, target->estate,
																false, false, NULL, NIL, false));
}

static void
index_new_version(TgTarget *target, TgLeaf *leaf, TgUpdateIndexes indexes)
{
	if (leaf->rri->ri_NumIndices > 0 && tg_update_needs_indexes(indexes))
		refuse_deferred_conflicts(leaf, TgExecInsertIndexTuples(leaf->rri, leaf->row, target->estate,
																true, false, NULL, NIL,
																tg_update_only_brin(indexes)));
}

/*
 * Replace the row in leaf->found by leaf->row, which gets its place, if it is
 * the newest version of its key; waits for whoever is writing it.
 */
bool
tg_leaf_try_update(TgTarget *target, TgLeaf *leaf)
{
	ItemPointerData tid = leaf->found->tts_tid;
	TgUpdateIndexes indexes;
	LockTupleMode lockmode;
	TM_FailureData failure;

	tg_leaf_prepare(target, leaf, CMD_UPDATE);
	if (table_tuple_update(leaf->rel, &tid, leaf->row, GetCurrentCommandId(true),
						   GetActiveSnapshot(), InvalidSnapshot, true, &failure, &lockmode,
						   &indexes) != TM_Ok)
		return false;
	index_new_version(target, leaf, indexes);
	return true;
}

/*
 * The same for a deletion.
 */
bool
tg_leaf_try_delete(TgLeaf *leaf)
{
	ItemPointerData tid = leaf->found->tts_tid;
	TM_FailureData failure;

	return table_tuple_delete(leaf->rel, &tid, GetCurrentCommandId(true), GetActiveSnapshot(),
							  InvalidSnapshot, true, &failure, false) == TM_Ok;
}

/*
 * Replace the row in leaf->found, which the caller has locked, by leaf->row.
 */
void
tg_leaf_update(TgTarget *target, TgLeaf *leaf)
{
	ItemPointerData tid = leaf->found->tts_tid;
	TgUpdateIndexes indexes;
	TgMergedRow expected;
	TgWritten	written;

	tg_leaf_prepare(target, leaf, CMD_UPDATE);
	simple_table_tuple_update(leaf->rel, &tid, leaf->row, GetActiveSnapshot(), &indexes);
	index_new_version(target, leaf, indexes);

	tg_written_begin(&written, target, &expected);
	tg_written_update(&written, leaf, &tid);
	tg_written_end(&written);
}

/*
 * Delete the row in leaf->found, which the caller has locked; the tombstone
 * gets the stamp.
 */
void
tg_leaf_delete(TgTarget *target, TgLeaf *leaf, TgStamp stamp)
{
	TgMergedRow expected;
	TgWritten	written;

	simple_table_tuple_delete(leaf->rel, &leaf->found->tts_tid, GetActiveSnapshot());

	tg_written_begin(&written, target, &expected);
	tg_written_delete(&written, leaf, stamp);
	tg_written_end(&written);
}
