/*-------------------------------------------------------------------------
 *
 * src/capture/trigger.c
 *	  The AFTER ROW trigger that journals each change of a replicated table.
 *
 * Nothing changes a replicated row without passing here.  The rows of a merge
 * are those that it has announced.  Any other has a stamp that this
 * transaction made: the planner hook or the column's default has seen to it,
 * and whoever got around both is refused.
 *
 * On the ordinary path no catalog is read and no memory allocated: the keys go
 * into buffers that are kept for the life of the backend.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "capture/restamp.h"
#include "capture/trigger.h"
#include "clock/identity.h"
#include "fmgr.h"
#include "journal/row_entry.h"
#include "journal/stamping.h"
#include "row/stamp.h"
#include "utils/memutils.h"
#include "utils/rel.h"

static struct
{
	MemoryContext context;		/* NULL: no buffers yet */
	StringInfoData old_key;
	StringInfoData new_key;
}			scratch;

PG_FUNCTION_INFO_V1(topgun_capture);

/*
 * What a trigger function was called with.  Errors out unless it was called as
 * a trigger at the right time and level.
 */
TriggerData *
tg_trigger_data(FunctionCallInfo fcinfo, const char *function,
				TriggerEvent when, TriggerEvent level)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		(trigdata->tg_event & TRIGGER_EVENT_TIMINGMASK) != when ||
		(trigdata->tg_event & TRIGGER_EVENT_ROW) != level)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as %s %s trigger", function,
						when == TRIGGER_EVENT_BEFORE ? "BEFORE" : "AFTER",
						level == TRIGGER_EVENT_ROW ? "ROW" : "STATEMENT")));
	return trigdata;
}

/*
 * The table of a row trigger, remembered from row to row.
 */
TgTable *
tg_trigger_table(FmgrInfo *flinfo, Relation rel)
{
	TgTable    *table = flinfo->fn_extra;

	if (likely(table != NULL && table->valid && table->relid == RelationGetRelid(rel)))
		return table;

	table = tg_table_get(rel);
	if (table->id == 0)
		elog(ERROR, "table \"%s\" is not replicated", RelationGetRelationName(rel));
	flinfo->fn_extra = table;
	return table;
}

static void
set_up_scratch(void)
{
	MemoryContext old;

	scratch.context = AllocSetContextCreate(TopMemoryContext, "topgun capture",
											ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch.context);
	initStringInfo(&scratch.old_key);
	initStringInfo(&scratch.new_key);
	MemoryContextSwitchTo(old);
}

static TgBytes
write_key(TgTable *table, TupleTableSlot *slot, StringInfo buf)
{
	TgBytes		key;

	resetStringInfo(buf);
	tg_key_write(table->key, slot, buf);
	key.data = buf->data;
	key.len = buf->len;
	return key;
}

static bool
is_merged(Relation rel, TupleTableSlot *row)
{
	TgStamp		stamp;

	return tg_merge_expected(RelationGetRelid(rel), &row->tts_tid, &stamp);
}

/*
 * A local write must have a stamp that this transaction made.
 */
static void
require_own_stamp(Relation rel, TgStamp stamp)
{
	if (likely(stamp != TG_NO_STAMP && tg_write_stamp_is_ours(stamp)))
		return;

	ereport(ERROR,
			(errcode(ERRCODE_TG_BAD_STAMP),
			 errmsg("row of replicated table \"%s\" has no fresh stamp",
					RelationGetRelationName(rel)),
			 stamp == TG_NO_STAMP ?
			 errdetail("Column \"%s\" is null.", TG_STAMP_COLUMN) :
			 errdetail("The value of column \"%s\" was not made by this transaction.",
					   TG_STAMP_COLUMN),
			 errhint("Leave column \"%s\" out of the column list of COPY. Tables that are written by something else than SQL statements, such as a native subscription, need topgun.add_table() with option {\"stamping\": \"trigger\"}.",
					 TG_STAMP_COLUMN)));
}

static void
capture_insert(Relation rel, TgTable *table, TupleTableSlot *row)
{
	TgStamp		stamp = tg_slot_stamp(table, row);
	TgBytes		key = write_key(table, row, &scratch.new_key);
	bool		merged = is_merged(rel, row);
	TgStamp		floor;

	if (!merged)
		require_own_stamp(rel, stamp);
	tg_journal_insert(table, key, stamp);
	if (merged)
		return;

	floor = tg_deleted_since(table, key, stamp);
	if (unlikely(floor != TG_NO_STAMP))
		tg_restamp(rel, &row->tts_tid, floor);
}

static void
capture_delete(Relation rel, TgTable *table, TupleTableSlot *row)
{
	TgStamp		old_stamp = tg_slot_stamp(table, row);
	TgBytes		key = write_key(table, row, &scratch.old_key);
	TgStamp		stamp;

	if (!tg_merge_expected(RelationGetRelid(rel), &row->tts_tid, &stamp) || stamp < old_stamp)
		stamp = tg_write_stamp_after(old_stamp);
	tg_journal_delete(table, key, old_stamp, stamp);
}

/*
 * A change of the key is a deletion and an insertion.  So is a change of its
 * bytes only (1.0 to 1.00), because the bytes are what digests are made of;
 * that the key lives on is found out at commit.
 */
static void
capture_update(Relation rel, TgTable *table, TupleTableSlot *old_row, TupleTableSlot *row)
{
	TgStamp		old_stamp = tg_slot_stamp(table, old_row);
	TgStamp		stamp = tg_slot_stamp(table, row);
	TgBytes		old_key = write_key(table, old_row, &scratch.old_key);
	TgBytes		key = write_key(table, row, &scratch.new_key);
	bool		same_key = old_key.len == key.len && memcmp(old_key.data, key.data, key.len) == 0;
	bool		merged = is_merged(rel, row);
	TgStamp		floor = old_stamp;

	if (!merged)
		require_own_stamp(rel, stamp);

	if (likely(same_key))
		tg_journal_update(table, key, old_stamp, stamp);
	else
	{
		tg_journal_delete(table, old_key, old_stamp, merged ? stamp : tg_write_stamp_after(old_stamp));
		tg_journal_insert(table, key, stamp);
	}
	if (merged)
		return;

	if (!same_key)
		floor = Max(floor, tg_deleted_since(table, key, stamp));
	if (unlikely(stamp <= floor))
		tg_restamp(rel, &row->tts_tid, floor);
}

/*
 * topgun_internal.capture(): the trigger function.  Its argument, the table
 * id, is read from the relation cache by tg_table_id().
 */
Datum
topgun_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = tg_trigger_data(fcinfo, "capture", TRIGGER_EVENT_AFTER,
											TRIGGER_EVENT_ROW);
	Relation	rel = trigdata->tg_relation;
	TgTable    *table = tg_trigger_table(fcinfo->flinfo, rel);

	/* a dump is being restored: the rows come with the stamps they had */
	if (unlikely(tg_node_id() == 0) && TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		return PointerGetDatum(NULL);

	if (unlikely(scratch.context == NULL))
		set_up_scratch();

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		capture_insert(rel, table, trigdata->tg_trigslot);
	else if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		capture_update(rel, table, trigdata->tg_trigslot, trigdata->tg_newslot);
	else
		capture_delete(rel, table, trigdata->tg_trigslot);

	return PointerGetDatum(NULL);
}
