/*-------------------------------------------------------------------------
 *
 * src/capture/truncate.c
 *	  The BEFORE TRUNCATE triggers of a replicated table.
 *
 * TRUNCATE of a table is one stamp: rows older than it are gone.  TRUNCATE of
 * one of its partitions is the deletion of each row in it.
 *
 * TRUNCATE of a partitioned table fires the triggers of its partitions, too.
 * They have nothing to add, which they know by this: the table's truncation is
 * the one that this transaction wrote, and nothing was written since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "capture/trigger.h"
#include "fmgr.h"
#include "journal/append.h"
#include "journal/stamping.h"
#include "miscadmin.h"
#include "row/truncation.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The last TRUNCATE of a whole table by this backend. */
static struct
{
	TgTableId	id;
	TgStamp		stamp;
	TransactionId xid;
	uint64		count;			/* tg_journal_count() then */
}			last;

PG_FUNCTION_INFO_V1(topgun_capture_truncate);

static void
truncate_table(Relation rel, TgTableId id)
{
	TgEntry		entry = {.table = id,.op = TG_OP_TRUNCATE,.had_row = true};

	if (!tg_merge_expected(RelationGetRelid(rel), NULL, &entry.new_stamp))
		entry.new_stamp = tg_write_stamp();

	tg_truncation_write(id, entry.new_stamp);
	tg_journal_add(RelationGetRelid(rel), &entry);

	last.id = id;
	last.stamp = entry.new_stamp;
	last.xid = GetTopTransactionId();
	last.count = tg_journal_count();
}

static bool
is_empty_by_truncate(TgTableId id)
{
	return last.id == id &&
		last.xid == GetTopTransactionIdIfAny() &&
		last.count == tg_journal_count() &&
		last.stamp == tg_truncation_find(id);
}

/*
 * The table is locked, so the snapshot has all rows that will be lost.
 */
static void
delete_all_rows(Relation rel)
{
	TgTable    *table = tg_table_get(rel);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *row = table_slot_create(rel, NULL);
	TgEntry		entry = {.table = table->id,.op = TG_OP_DELETE,.had_row = true};
	StringInfoData key;

	initStringInfo(&key);
	while (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		CHECK_FOR_INTERRUPTS();
		resetStringInfo(&key);
		tg_key_write(table->key, row, &key);
		entry.key.data = key.data;
		entry.key.len = key.len;
		entry.old_stamp = tg_slot_stamp(table, row);
		entry.new_stamp = tg_write_stamp_after(entry.old_stamp);
		tg_journal_add(RelationGetRelid(rel), &entry);
	}
	pfree(key.data);
	ExecDropSingleTupleTableSlot(row);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
}

/*
 * topgun_internal.capture_truncate(): the trigger function.  A partition that
 * was detached keeps the trigger; there it does nothing.
 */
Datum
topgun_capture_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = tg_trigger_data(fcinfo, "capture_truncate", TRIGGER_EVENT_BEFORE, 0);
	Relation	rel = trigdata->tg_relation;
	TgTableId	id = tg_table_id(rel);

	if (id == 0)
		return PointerGetDatum(NULL);

	if (!rel->rd_rel->relispartition)
		truncate_table(rel, id);
	else if (!is_empty_by_truncate(id))
		delete_all_rows(rel);
	return PointerGetDatum(NULL);
}
