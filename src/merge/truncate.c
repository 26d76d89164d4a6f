/*-------------------------------------------------------------------------
 *
 * src/merge/truncate.c
 *	  Merge a TRUNCATE: rows older than its stamp are gone.
 *
 * SHARE ROW EXCLUSIVE keeps writers out.  Those that come later take stamps
 * after this one, since the clock has observed it; merges that come later
 * read the truncation's stamp after they have locked the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/sql.h"
#include "catalog/heap.h"
#include "catalog/pg_inherits.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "journal/append.h"
#include "journal/stamping.h"
#include "merge/truncate.h"
#include "merge/write.h"
#include "miscadmin.h"
#include "row/truncation.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* What to do with a row of a table that is truncated; false ends the scan. */
typedef bool (*RowVisitor) (TgTarget *target, TgLeaf *leaf, TgStamp stamp);

static bool
visit_rows(TgTarget *target, Relation rel, TgStamp stamp, RowVisitor visit)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TupleTableSlot *root_slot = target->row;
	TupleConversionMap *map = convert_tuples_by_name(RelationGetDescr(rel),
													 RelationGetDescr(target->rel));
	bool		all = true;

	while (all && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		TgLeaf	   *leaf;

		CHECK_FOR_INTERRUPTS();
		if (map != NULL)
			execute_attr_map_slot(map->attrMap, slot, root_slot);
		else
			ExecCopySlot(root_slot, slot);
		leaf = tg_target_route(target);
		ExecCopySlot(leaf->found, slot);
		leaf->found->tts_tid = slot->tts_tid;
		all = visit(target, leaf, stamp);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	return all;
}

static bool
visit_all_rows(TgTarget *target, TgStamp stamp, RowVisitor visit)
{
	List	   *relids;
	ListCell   *lc;

	relids = find_all_inheritors(RelationGetRelid(target->rel), ShareRowExclusiveLock, NULL);
	foreach(lc, relids)
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);
		bool		all = true;

		if (RELKIND_HAS_STORAGE(rel->rd_rel->relkind))
			all = visit_rows(target, rel, stamp, visit);
		table_close(rel, NoLock);
		if (!all)
			return false;
	}
	return true;
}

static bool
is_older(TgTarget *target, TgLeaf *leaf, TgStamp stamp)
{
	return tg_slot_stamp(leaf->table, leaf->found) <= stamp;
}

static bool
delete_if_older(TgTarget *target, TgLeaf *leaf, TgStamp stamp)
{
	if (is_older(target, leaf, stamp))
		tg_leaf_delete(target, leaf, stamp);
	return true;
}

/*
 * May the owner of the table truncate it?  He can be deprived of that.
 */
static bool
owner_may_truncate(Relation rel)
{
	Datum		owner = ObjectIdGetDatum(rel->rd_rel->relowner);

	return DatumGetBool(DirectFunctionCall3(has_schema_privilege_id_id, owner,
											ObjectIdGetDatum(RelationGetNamespace(rel)),
											CStringGetTextDatum("USAGE"))) &&
		DatumGetBool(DirectFunctionCall3(has_table_privilege_id_id, owner,
										 ObjectIdGetDatum(RelationGetRelid(rel)),
										 CStringGetTextDatum("TRUNCATE")));
}

/*
 * Every row goes: let TRUNCATE do it, as the owner, whose triggers it fires.
 * Ours journals the truncation.  The table must not be open here.
 */
static void
truncate_all(Oid relid, Oid owner, TgStamp stamp)
{
	char	   *query = psprintf("TRUNCATE %s", tg_sql_name(relid));
	Oid			saved_user;
	int			saved_sec_context;
	TgMergedRow truncation = {.relid = relid,.stamp = stamp};

	GetUserIdAndSecContext(&saved_user, &saved_sec_context);
	SetUserIdAndSecContext(owner, saved_sec_context | SECURITY_RESTRICTED_OPERATION);
	tg_merge_expect(&truncation, 1);
	SPI_connect();
	if (SPI_execute(query, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not truncate table \"%s\"", get_rel_name(relid));
	SPI_finish();
	tg_merge_expect_nothing();
	SetUserIdAndSecContext(saved_user, saved_sec_context);
}

static void
delete_older(TgTarget *target, TgStamp stamp)
{
	TgEntry		entry = {
		.table = target->table->id,
		.op = TG_OP_TRUNCATE,
		.new_stamp = stamp
	};

	(void) visit_all_rows(target, stamp, delete_if_older);
	tg_truncation_write(target->table->id, stamp);
	tg_journal_add(RelationGetRelid(target->rel), &entry);
}

/*
 * Take the lock that TRUNCATE needs, if nobody uses the table.  To wait for it
 * while we hold the weaker one would be a deadlock with each client that has
 * read the table and is about to write.
 */
static bool
try_lock_exclusively(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, ShareRowExclusiveLock, NULL))
	{
		if (!ConditionalLockRelationOid(lfirst_oid(lc), AccessExclusiveLock))
			return false;
	}
	return true;
}

/*
 * Merge a TRUNCATE.  Locks the table with SHARE ROW EXCLUSIVE, and with ACCESS
 * EXCLUSIVE if all rows go and nobody uses it; it must not be open here.
 */
void
tg_merge_truncation(TgMerge *merge, TgTableId id, TgStamp stamp)
{
	TgTarget   *target = tg_merge_open_table(id, ShareRowExclusiveLock);
	Oid			relid;
	Oid			owner;
	bool		all_go;

	if (target == NULL)
		return;
	if (target->truncation >= stamp)
	{
		merge->counts.older++;
		tg_merge_close_table(target);
		return;
	}

	merge->counts.applied++;
	relid = RelationGetRelid(target->rel);
	owner = target->rel->rd_rel->relowner;
	all_go = heap_truncate_find_FKs(list_make1_oid(relid)) == NIL &&
		owner_may_truncate(target->rel) &&
		try_lock_exclusively(relid) &&
		visit_all_rows(target, stamp, is_older);
	if (!all_go)
		delete_older(target, stamp);
	tg_merge_close_table(target);
	if (all_go)
		truncate_all(relid, owner, stamp);
}
