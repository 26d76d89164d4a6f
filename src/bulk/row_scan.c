/*-------------------------------------------------------------------------
 *
 * src/bulk/row_scan.c
 *	  The rows of a replicated table, one after the other, as trees see them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/row_scan.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "digest/row_digest.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/*
 * The relations that hold the rows of a replicated table: itself, or its
 * partitions without those in between.  They are locked with ACCESS SHARE
 * until the end of the transaction.
 */
List *
tg_scan_leaves(Oid relid)
{
	List	   *leaves = NIL;
	ListCell   *cell;

	foreach(cell, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			leaves = lappend_oid(leaves, lfirst_oid(cell));
	}
	return leaves;
}

/*
 * Read the rows that a table scan yields.  The relation must stay open; the
 * scan is ended by tg_row_scan_end().  Errors out if it is not replicated.
 */
void
tg_row_scan_begin(TgRowScan *rows, Relation rel, TableScanDesc scan)
{
	memset(rows, 0, sizeof(*rows));
	rows->rel = rel;
	rows->scan = scan;
	rows->table = tg_table_get(rel);
	if (rows->table->id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not replicated", RelationGetRelationName(rel))));
	rows->slot = table_slot_create(rel, NULL);
	rows->scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun scanned row",
										  ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&rows->key);
	initStringInfo(&rows->image);
}

/*
 * Go to the next row and write down its key; false if there is none.
 */
bool
tg_row_scan_next(TgRowScan *rows)
{
	MemoryContext old;

	CHECK_FOR_INTERRUPTS();
	if (!table_scan_getnextslot(rows->scan, ForwardScanDirection, rows->slot))
		return false;

	MemoryContextReset(rows->scratch);
	resetStringInfo(&rows->key);
	old = MemoryContextSwitchTo(rows->scratch);
	tg_key_write(rows->table->key, rows->slot, &rows->key);
	MemoryContextSwitchTo(old);
	return true;
}

/*
 * The stamp of the current row.
 */
TgStamp
tg_row_scan_stamp(TgRowScan *rows)
{
	return tg_slot_stamp(rows->table, rows->slot);
}

/*
 * What the current row adds to its leaf.
 */
uint64
tg_row_scan_digest(TgRowScan *rows, TgScanKind kind)
{
	uint64		digest = tg_row_digest(rows->table->id, tg_bytes_of_buf(&rows->key),
									   tg_row_scan_stamp(rows));
	MemoryContext old;

	if (kind == TG_SCAN_STAMPS)
		return digest;

	resetStringInfo(&rows->image);
	old = MemoryContextSwitchTo(rows->scratch);
	tg_row_write(rows->table, rows->slot, &rows->image);
	MemoryContextSwitchTo(old);
	return tg_content_digest(digest, tg_bytes_of_buf(&rows->image));
}

/*
 * End of the scan.
 */
void
tg_row_scan_end(TgRowScan *rows)
{
	ExecDropSingleTupleTableSlot(rows->slot);
	table_endscan(rows->scan);
	pfree(rows->key.data);
	pfree(rows->image.data);
	MemoryContextDelete(rows->scratch);
}
