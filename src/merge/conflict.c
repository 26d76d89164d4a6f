/*-------------------------------------------------------------------------
 *
 * src/merge/conflict.c
 *	  Concurrent changes of one row: what is kept of the loser.
 *
 * Two versions are concurrent when the writer of theirs had not seen ours.
 * The peer's vector says what the peer had merged; it may say less than the
 * truth, never more.  A node's own later version is no conflict.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "clock/hlc.h"
#include "executor/executor.h"
#include "merge/conflict.h"
#include "row/stamp.h"
#include "row/tombstone.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

typedef struct Conflict
{
	const char *kind;
	bool		remote_wins;
	TgStamp		local_stamp;
	TgStamp		remote_stamp;
	TupleTableSlot *local_row;	/* NULL: deleted */
	TupleTableSlot *remote_row; /* NULL: deleted */
} Conflict;

static bool
is_concurrent(TgMerge *merge, TgStamp ours, TgStamp theirs)
{
	if (ours == TG_NO_STAMP || theirs == TG_NO_STAMP || merge->peer_vector == NULL)
		return false;
	return tg_stamp_node(ours) != tg_stamp_node(theirs) &&
		!tg_vector_covers(merge->peer_vector, ours);
}

/*
 * A row as json, for people to read.
 */
Datum
tg_row_to_json(TupleTableSlot *slot)
{
	return DirectFunctionCall1(row_to_json, ExecFetchSlotHeapTupleDatum(slot));
}

static void
record(TgMerge *merge, TgTarget *target, const Conflict *conflict)
{
	Relation	rel;
	Datum		values[9] = {0};
	bool		nulls[lengthof(values)] = {0};

	merge->counts.conflicts++;
	if (!tg_conflict_log)
		return;

	values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[1] = Int32GetDatum(target->table->id);
	values[2] = CStringGetTextDatum(conflict->kind);
	values[3] = CStringGetTextDatum(conflict->remote_wins ? "remote" : "local");
	values[4] = TgStampGetDatum(conflict->local_stamp);
	values[5] = TgStampGetDatum(conflict->remote_stamp);
	nulls[6] = conflict->local_row == NULL;
	if (!nulls[6])
		values[6] = tg_row_to_json(conflict->local_row);
	nulls[7] = conflict->remote_row == NULL;
	if (!nulls[7])
		values[7] = tg_row_to_json(conflict->remote_row);
	values[8] = Int32GetDatum(merge->peer);

	rel = table_open(tg_catalog_oid(TG_CAT_CONFLICT), RowExclusiveLock);
	tg_catalog_insert(rel, values, nulls);
	table_close(rel, RowExclusiveLock);
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
		.kind = is_delete ? "changed_deleted" : "changed_changed",
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
		.kind = "deleted_changed",
		.local_stamp = tg_tombstone_find(target->table, key, snapshot),
		.remote_stamp = change->stamp,
		.remote_row = row
	};

	UnregisterSnapshot(snapshot);
	if (is_concurrent(merge, conflict.local_stamp, conflict.remote_stamp))
		record(merge, target, &conflict);
}
