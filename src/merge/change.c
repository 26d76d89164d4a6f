/*-------------------------------------------------------------------------
 *
 * src/merge/change.c
 *	  Merge one change: make our row the newer of ours and theirs.
 *
 * The interleavings with a local transaction on the same key, and what
 * settles each:
 *
 *	it has inserted and not ended		the dirty look-up finds it; wait, look again
 *	it inserts after the look-up		the unique index stops our insert; look again
 *	it updates or deletes the row we found	locking the row fails; look again
 *	it has deleted and ended			look-up finds nothing, our insert takes the
 *										key, a fresh snapshot has the tombstone
 *	it inserts an older row after we found	the deletion is noted as unverified and
 *	nothing to delete					merged again once it has ended
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "clock/identity.h"
#include "executor/executor.h"
#include "journal/append.h"
#include "journal/cursor.h"
#include "journal/stamping.h"
#include "merge/change.h"
#include "merge/conflict.h"
#include "merge/load.h"
#include "merge/quarantine.h"
#include "merge/unverified.h"
#include "merge/write.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "row/tombstone.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * Count what became of a change.
 */
void
tg_merge_count(TgMerge *merge, TgVerdict verdict)
{
	if (verdict == THEIRS_NEWER)
		merge->counts.applied++;
	else if (verdict == SAME)
		merge->counts.equal++;
	else
		merge->counts.older++;
}

/*
 * The stamp under which a change is written, in place of a row or tombstone of
 * ours: its own, unless it is imported.
 */
TgStamp
tg_merge_stamp(TgMerge *merge, const TgChange *change, TgStamp replaced)
{
	return merge->is_import ? tg_write_stamp_after(replaced) : change->stamp;
}

/*
 * The same, and leaf->row gets it.
 */
void
tg_merge_stamp_row(TgMerge *merge, TgLeaf *leaf, const TgChange *change, TgStamp replaced)
{
	TgStamp		stamp = tg_merge_stamp(merge, change, replaced);
	int			column = leaf->table->stamp_attno - 1;

	leaf->row->tts_values[column] = TgStampGetDatum(stamp);
	leaf->row->tts_isnull[column] = stamp == TG_NO_STAMP;
}

/*
 * Stamps that are equal belong to the same write, unless they are NULL or
 * were imported: then the greater image wins, so that all nodes agree.
 */
static TgVerdict
compare_images(TgLeaf *leaf)
{
	StringInfoData ours;
	StringInfoData theirs;
	int			cmp;

	initStringInfo(&ours);
	initStringInfo(&theirs);
	tg_row_write(leaf->table, leaf->found, &ours);
	tg_row_write(leaf->table, leaf->row, &theirs);
	cmp = memcmp(theirs.data, ours.data, Min(theirs.len, ours.len));
	if (cmp == 0)
		cmp = theirs.len - ours.len;
	return cmp > 0 ? THEIRS_NEWER : cmp < 0 ? OURS_NEWER : SAME;
}

/*
 * Compare a change, which is in leaf->row, with ours, which is in leaf->found.
 */
TgVerdict
tg_merge_judge(TgLeaf *leaf, const TgChange *change)
{
	TgStamp		ours = tg_slot_stamp(leaf->table, leaf->found);

	if (change->stamp != ours)
		return change->stamp > ours ? THEIRS_NEWER : OURS_NEWER;
	if (change->kind == TG_CHANGE_DELETE)
		return THEIRS_NEWER;	/* at equal stamps the tombstone wins */
	return compare_images(leaf);
}

/*
 * Look the key up as it is or is about to be: wait for whoever is writing it.
 */
bool
tg_leaf_find_settled(TgLeaf *leaf)
{
	for (;;)
	{
		SnapshotData dirty;
		TransactionId wait_for;
		bool		found;

		InitDirtySnapshot(dirty);
		found = tg_leaf_find(leaf, &dirty);
		if (!found || !TransactionIdIsValid(dirty.xmin))
			return found;

		wait_for = dirty.xmin;
		if (dirty.speculativeToken != 0)
			SpeculativeInsertionWait(wait_for, dirty.speculativeToken);
		else
			XactLockTableWait(wait_for, leaf->rel, &leaf->found->tts_tid, XLTW_InsertIndex);
	}
}

/*
 * Lock the row in leaf->found and read it again.  False if it is no longer
 * the newest version of its key.
 */
bool
tg_leaf_lock_found(TgLeaf *leaf)
{
	ItemPointerData tid = leaf->found->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(leaf->rel, &tid, GetLatestSnapshot(), leaf->found,
							  GetCurrentCommandId(true), LockTupleExclusive,
							  LockWaitBlock, 0, &failure);
	if (result == TM_Ok)
		return true;
	if (result == TM_Updated || result == TM_Deleted)
		return false;
	if (result == TM_Invisible)
		elog(ERROR, "attempted to lock invisible tuple");
	elog(ERROR, "unexpected table_tuple_lock status: %u", result);
}

/*
 * The key is here.  Returns false if it changed under our hands.
 */
static bool
merge_found(TgMerge *merge, TgTarget *target, TgLeaf *leaf, const TgChange *change)
{
	TgVerdict	verdict = tg_merge_judge(leaf, change);

	TG_FAILPOINT("merge-before-lock");
	if (verdict == THEIRS_NEWER)
	{
		if (!tg_leaf_lock_found(leaf))
			return false;
		verdict = tg_merge_judge(leaf, change);
	}
	if (verdict != SAME)
		tg_conflict_check_row(merge, target, leaf, change, verdict == THEIRS_NEWER);
	if (verdict == THEIRS_NEWER)
	{
		TgStamp		ours = tg_slot_stamp(leaf->table, leaf->found);

		if (change->kind == TG_CHANGE_DELETE)
		{
			tg_leaf_delete(target, leaf, tg_merge_stamp(merge, change, ours));
			merge->counts.deleted++;
		}
		else
		{
			tg_merge_stamp_row(merge, leaf, change, ours);
			tg_leaf_update(target, leaf);
		}
	}
	tg_merge_count(merge, verdict);
	return true;
}

/*
 * An imported row gets its fresh stamp.  It may be older than the deletion of
 * its key: that must be known before its insertion can fail, or else it would
 * go into quarantine, with a stamp newer than the deletion.  If it is deleted
 * just now, the capture trigger sees to it that its stamp is newer still.
 */
static bool
is_import_of_deleted(TgMerge *merge, TgLeaf *leaf, const TgChange *change, TgBytes key)
{
	if (!merge->is_import)
		return false;
	tg_merge_stamp_row(merge, leaf, change, TG_NO_STAMP);
	return tg_leaf_is_deleted(leaf, change->stamp, key);
}

/*
 * The row may have been deleted here, and the tombstone collected.  If we have
 * had it, it was.  Nothing was written.
 */
static void
settle_doubt(TgMerge *merge, TgTarget *target, const TgChange *change)
{
	if (merge->doubt == TG_DOUBT_UNLESS_COVERED &&
		tg_vector_covers(tg_own_vector(tg_node_id_required()), change->stamp))
		return;

	ereport(ERROR,
			(errcode(ERRCODE_TG_DOUBTFUL),
			 errmsg("row of table \"%s\" may have been deleted here",
					RelationGetRelationName(target->rel)),
			 errdetail("It has come late: tombstones of its age are no longer kept, and this node does not know whether it ever had the row."),
			 errhint("Write the row anew, with whatever values, if it is to live.")));
}

/*
 * What can be known of an absent row before it is inserted.  An insertion that
 * fails must not be what decides, so whoever has seen one fail asks for it.
 */
static TgInsertResult
look_before_insert(TgMerge *merge, TgLeaf *leaf, const TgChange *change, TgBytes key)
{
	if (merge->doubt == TG_DOUBT_NEVER ||
		!(merge->is_wary || tg_stamp_is_doubtful(change->stamp)))
		return TG_INSERT_DONE;
	if (tg_leaf_is_deleted(leaf, change->stamp, key))
		return TG_INSERT_IS_DELETED;
	return tg_stamp_is_doubtful(change->stamp) ? TG_INSERT_IS_DOUBTFUL : TG_INSERT_DONE;
}

/*
 * The row is not here: insert it.
 */
static TgInsertResult
merge_absent_row(TgMerge *merge, TgTarget *target, TgLeaf *leaf, const TgChange *change, TgBytes key)
{
	TgInsertResult result = TG_INSERT_IS_DELETED;

	TG_FAILPOINT("merge-before-insert");
	if (!is_import_of_deleted(merge, leaf, change, key))
		result = look_before_insert(merge, leaf, change, key);
	if (result == TG_INSERT_DONE)
		result = tg_leaf_insert(target, leaf, change->stamp, key, merge->doubt != TG_DOUBT_NEVER);
	if (result == TG_INSERT_KEY_TAKEN)
		return result;
	if (result == TG_INSERT_IS_DELETED)
		tg_conflict_check_deleted(merge, target, leaf->row, change, key);
	if (result == TG_INSERT_IS_DOUBTFUL)
		settle_doubt(merge, target, change);
	tg_merge_count(merge, result == TG_INSERT_DONE ? THEIRS_NEWER : OURS_NEWER);
	return result;
}

/*
 * An imported deletion gets a fresh stamp.  If there is nothing to delete, it
 * must not delete what is being written just now.
 */
static bool
is_import_of_nothing(TgMerge *merge, TgTarget *target, const TgChange *change)
{
	TgChange	waiting;

	return merge->is_import &&
		(tg_quarantine_is_empty() ||
		 !tg_quarantine_find(target->table->id, change->payload, GetLatestSnapshot(), &waiting));
}

/*
 * The row to be deleted is not here: leave a tombstone, in case it comes.
 */
static void
merge_absent_delete(TgMerge *merge, TgTarget *target, const TgChange *change)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TgStamp		ours = TG_NO_STAMP;
	TgEntry		entry = {
		.table = target->table->id,
		.op = TG_OP_DELETE,
		.key = change->payload
	};
	TgChange	deletion = *change;

	TG_FAILPOINT("merge-before-tombstone");
	if (is_import_of_nothing(merge, target, change))
	{
		UnregisterSnapshot(snapshot);
		tg_merge_count(merge, OURS_NEWER);
		return;
	}
	if (tg_tombstone_may_exceed(change->stamp))
		ours = tg_tombstone_find(target->table, change->payload, snapshot);
	UnregisterSnapshot(snapshot);
	if (ours >= change->stamp)
	{
		tg_merge_count(merge, ours == change->stamp ? SAME : OURS_NEWER);
		return;
	}

	deletion.stamp = entry.new_stamp = tg_merge_stamp(merge, change, ours);
	tg_journal_add(RelationGetRelid(target->rel), &entry);
	tg_unverified_note(target->table->id, &deletion);
	merge->counts.deleted++;
	tg_merge_count(merge, THEIRS_NEWER);
}

/*
 * May a change with this stamp be merged at all?
 */
bool
tg_merge_lets_pass(TgTarget *target, TgBytes key, TgStamp stamp)
{
	return tg_quarantine_lets_pass(target, key, stamp) &&
		(stamp > target->truncation || target->truncation == TG_NO_STAMP);
}

/*
 * The change of one key, which may be here or not.
 */
static void
merge_key(TgMerge *merge, TgTarget *target, const TgChange *change)
{
	StringInfoData key_buf;
	TgBytes		key;
	TgLeaf	   *leaf;
	TgInsertResult result = TG_INSERT_DONE;

	initStringInfo(&key_buf);
	tg_change_load(target, change, &key_buf);
	key = tg_bytes_of_buf(&key_buf);

	if (!tg_merge_lets_pass(target, key, change->stamp))
	{
		tg_merge_count(merge, OURS_NEWER);
		return;
	}

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		leaf = tg_target_route(target);
		if (tg_leaf_find_settled(leaf))
		{
			if (merge_found(merge, target, leaf, change))
				break;
		}
		else if (change->kind == TG_CHANGE_DELETE)
		{
			merge_absent_delete(merge, target, change);
			break;
		}
		else if ((result = merge_absent_row(merge, target, leaf, change, key)) != TG_INSERT_KEY_TAKEN)
			break;
	}

	/* what was dropped because we have had it may be what waits */
	if (result != TG_INSERT_IS_DOUBTFUL)
		tg_quarantine_resolve(target, key, change->stamp);
}

/*
 * Merge the row or deletion into a table opened by tg_merge_open_table().
 * Errors out if the row cannot be applied, as with a constraint of ours; then
 * the (sub)transaction must be rolled back.  The clock must have observed the
 * change's stamp, unless it is imported.
 */
void
tg_merge_change(TgMerge *merge, TgTarget *target, const TgChange *change)
{
	MemoryContext old = MemoryContextSwitchTo(merge->scratch);

	Assert(change->kind != TG_CHANGE_TRUNCATE);

	merge_key(merge, target, change);
	CommandCounterIncrement();
	ResetPerTupleExprContext(target->estate);
	MemoryContextSwitchTo(old);
	MemoryContextReset(merge->scratch);
}

/*
 * Make room for a change that exchanges unique values with others: if our row
 * of its key is older, it goes, and has to come back as the change has it.
 * True if it has gone.
 */
bool
tg_merge_step_aside(TgMerge *merge, TgTarget *target, const TgChange *change)
{
	MemoryContext old = MemoryContextSwitchTo(merge->scratch);
	StringInfoData key;
	TgLeaf	   *leaf;
	bool		goes;

	initStringInfo(&key);
	tg_change_load(target, change, &key);
	leaf = tg_target_route(target);
	goes = tg_leaf_find_settled(leaf) && tg_merge_judge(leaf, change) == THEIRS_NEWER && tg_leaf_lock_found(leaf);
	if (goes)
		tg_leaf_delete(target, leaf,
					   tg_merge_stamp(merge, change, tg_slot_stamp(leaf->table, leaf->found)));
	CommandCounterIncrement();
	MemoryContextSwitchTo(old);
	MemoryContextReset(merge->scratch);
	return goes;
}
