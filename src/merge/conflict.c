/*-------------------------------------------------------------------------
 *
 * src/merge/conflict.c
 *	  Concurrent changes of one row: what is kept of the loser.
 *
 * Two versions are concurrent when the writer of theirs had not seen ours.
 * The peer's vector says what the peer had merged where its answer ends.  That
 * can be more than when the row was written: then the peer has met ours
 * itself, and keeps the conflict.  A node that still copies relays what it does
 * not claim to have: of what comes by way of others, a vector that says nothing
 * at all of our writer decides nothing.  A node's own later version is no
 * conflict.
 *
 * What a node has copied is ahead of what it has pulled: for a moment after a
 * copy, older versions that come by the journal look concurrent to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "clock/hlc.h"
#include "executor/executor.h"
#include "merge/conflict.h"
#include "merge/conflict_log.h"
#include "row/stamp.h"
#include "row/tombstone.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

typedef struct Conflict
{
	TgConflictKind kind;
	bool		remote_wins;
	TgStamp		local_stamp;
	TgStamp		remote_stamp;
	TupleTableSlot *local_row;	/* NULL: deleted */
	TupleTableSlot *remote_row; /* NULL: deleted */
} Conflict;

static bool
is_concurrent(TgMerge *merge, TgStamp ours, TgStamp theirs)
{
	TgNodeId	our_writer = tg_stamp_node(ours);
	TgNodeId	their_writer = tg_stamp_node(theirs);

	if (ours == TG_NO_STAMP || theirs == TG_NO_STAMP || merge->peer_vector == NULL ||
		our_writer == their_writer)
		return false;
	if (their_writer != merge->peer && tg_vector_get(merge->peer_vector, our_writer) == TG_NO_STAMP)
		return false;
	return !tg_vector_covers(merge->peer_vector, ours);
}

/*
 * A row as json, for people to read.
 */
Datum
tg_row_to_json(TupleTableSlot *slot)
{
	return DirectFunctionCall1(row_to_json, ExecFetchSlotHeapTupleDatum(slot));
}

/*
 * Why one of two versions of different nodes is the newer one.
 */
static const char *
reason_of(TgStamp a, TgStamp b)
{
	if (tg_stamp_ms(a) != tg_stamp_ms(b))
		return "time";
	return tg_stamp_counter(a) != tg_stamp_counter(b) ? "counter" : "node id";
}

static void
put_row(Datum *value, bool *isnull, TupleTableSlot *row)
{
	*isnull = row == NULL;
	if (row != NULL)
		*value = tg_row_to_json(row);
}

static void
keep(TgMerge *merge, TgTarget *target, const Conflict *conflict)
{
	static const char *const kinds[] = {
		[TG_CONFLICT_CHANGED_CHANGED] = "changed_changed",
		[TG_CONFLICT_CHANGED_DELETED] = "changed_deleted",
		[TG_CONFLICT_DELETED_CHANGED] = "deleted_changed",
	};
	Datum		values[TG_CONFLICT_COLUMNS] = {0};
	bool		nulls[TG_CONFLICT_COLUMNS] = {0};

	values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[1] = Int32GetDatum(target->table->id);
	values[2] = CStringGetTextDatum(kinds[conflict->kind]);
	values[3] = CStringGetTextDatum(conflict->remote_wins ? "remote" : "local");
	values[4] = CStringGetTextDatum(reason_of(conflict->local_stamp, conflict->remote_stamp));
	values[5] = TgStampGetDatum(conflict->local_stamp);
	values[6] = TgStampGetDatum(conflict->remote_stamp);
	put_row(&values[7], &nulls[7], conflict->local_row);
	put_row(&values[8], &nulls[8], conflict->remote_row);
	values[9] = Int32GetDatum(merge->peer);
	tg_conflict_log_write(values, nulls);
}

/*
 * All conflicts are counted, some are kept.
 */
static void
record(TgMerge *merge, TgTarget *target, const Conflict *conflict)
{
	merge->counts.conflicts++;
	merge->counts.conflicts_of[conflict->kind]++;
	if (conflict->remote_wins)
		merge->counts.conflicts_lost++;
	if (tg_conflict_is_sample(conflict->local_stamp, conflict->remote_stamp, tg_conflict_sample))
		keep(merge, target, conflict);
}

/*
 * We have the row in leaf->found, they send another version or its deletion:
 * keep the loser if the two are concurrent.
 */
void
tg_conflict_check_row(TgMerge *merge, TgTarget *target, TgLeaf *leaf,
					  const TgChange *change, bool remote_wins)
{
	bool		is_delete = change->kind == TG_CHANGE_DELETE;
	Conflict	conflict = {
		.kind = is_delete ? TG_CONFLICT_CHANGED_DELETED : TG_CONFLICT_CHANGED_CHANGED,
		.remote_wins = remote_wins,
		.local_stamp = tg_slot_stamp(leaf->table, leaf->found),
		.remote_stamp = change->stamp,
		.local_row = leaf->found,
		.remote_row = is_delete ? NULL : leaf->row
	};

	if (is_concurrent(merge, conflict.local_stamp, conflict.remote_stamp))
		record(merge, target, &conflict);
}

/*
 * We have deleted the key later than they changed it: keep their row if the
 * two are concurrent.
 */
void
tg_conflict_check_deleted(TgMerge *merge, TgTarget *target, TupleTableSlot *row,
						  const TgChange *change, TgBytes key)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Conflict	conflict = {
		.kind = TG_CONFLICT_DELETED_CHANGED,
		.local_stamp = tg_tombstone_find(target->table, key, snapshot),
		.remote_stamp = change->stamp,
		.remote_row = row
	};

	UnregisterSnapshot(snapshot);
	if (is_concurrent(merge, conflict.local_stamp, conflict.remote_stamp))
		record(merge, target, &conflict);
}
