/*-------------------------------------------------------------------------
 *
 * src/capture/announce.c
 *	  Rows that were there before anybody watched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "capture/announce.h"
#include "capture/restamp.h"
#include "capture/trigger.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "journal/append.h"
#include "journal/stamping.h"
#include "miscadmin.h"
#include "row/truncation.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * What a row's stamp must exceed, if it is as new as it seems: the table's last
 * truncation, and the tombstone of its key.  TG_NO_STAMP if it does.
 */
static TgStamp
floor_of(TgTable *table, TgBytes key, TgStamp stamp, TgStamp truncated)
{
	TgStamp		floor = tg_deleted_since(table, key, stamp);

	return truncated >= stamp ? Max(floor, truncated) : floor;
}

/*
 * A row that is older than what is known to be gone gets a fresh stamp, or the
 * peers would not take it.
 */
static void
announce_rows(Relation rel, Snapshot snapshot)
{
	TgTable    *table = tg_table_get(rel);
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *row = table_slot_create(rel, NULL);
	TgEntry		entry = {.table = table->id,.op = TG_OP_ANNOUNCE,.had_row = true};
	TgStamp		truncated = tg_truncation_find(table->id);
	StringInfoData key;

	initStringInfo(&key);
	while (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		TgStamp		floor;

		CHECK_FOR_INTERRUPTS();
		table = tg_table_get(rel);	/* what a statement below has made of it */
		resetStringInfo(&key);
		tg_key_write(table->key, row, &key);
		entry.key = tg_bytes_of_buf(&key);
		entry.old_stamp = entry.new_stamp = tg_slot_stamp(table, row);
		tg_journal_add(RelationGetRelid(rel), &entry);

		floor = floor_of(table, entry.key, entry.new_stamp, truncated);
		if (unlikely(floor != TG_NO_STAMP))
			tg_restamp(rel, &row->tts_tid, floor);
	}
	pfree(key.data);
	ExecDropSingleTupleTableSlot(row);
	table_endscan(scan);
}

/*
 * Journal every row of a partition of a replicated table that it has brought
 * along, so that the peers ask for it.  The caller has locked the relation
 * against writers, or they pass the capture trigger already.
 */
void
tg_partition_announce(Oid relid)
{
	List	   *relids = find_all_inheritors(relid, AccessShareLock, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ListCell   *cell;

	foreach(cell, relids)
	{
		Relation	rel = table_open(lfirst_oid(cell), NoLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION && tg_table_id(rel) != 0)
			announce_rows(rel, snapshot);
		table_close(rel, NoLock);
	}
	UnregisterSnapshot(snapshot);
	list_free(relids);
}

/*
 * Journal that a table has just been attached, and every row that was there
 * before.  As for a partition, writers must be locked out.
 */
void
tg_table_announce(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TgEntry		entry = {.table = tg_table_id(rel),.op = TG_OP_BEGIN};

	table_close(rel, NoLock);
	tg_journal_add(relid, &entry);
	tg_partition_announce(relid);
}
