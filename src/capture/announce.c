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
#include "capture/trigger.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "journal/append.h"
#include "journal/stamping.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static void
announce_rows(Relation rel, Snapshot snapshot)
{
	TgTable    *table = tg_table_get(rel);
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *row = table_slot_create(rel, NULL);
	TgEntry		entry = {.table = table->id,.op = TG_OP_ANNOUNCE,.had_row = true};
	StringInfoData key;

	initStringInfo(&key);
	while (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		CHECK_FOR_INTERRUPTS();
		resetStringInfo(&key);
		tg_key_write(table->key, row, &key);
		entry.key.data = key.data;
		entry.key.len = key.len;
		entry.old_stamp = entry.new_stamp = tg_slot_stamp(table, row);
		tg_journal_add(RelationGetRelid(rel), &entry);
	}
	pfree(key.data);
	ExecDropSingleTupleTableSlot(row);
	table_endscan(scan);
}

/*
 * Journal every row of a replicated table, or of one of its partitions, so
 * that the peers ask for it.  The caller has locked the relation against
 * writers, or they pass the capture trigger already.
 */
void
tg_table_announce(Oid relid)
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
