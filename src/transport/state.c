/*-------------------------------------------------------------------------
 *
 * src/transport/state.c
 *	  How a replicated table stands on this node: topgun.table_state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/indexing.h"
#include "transport/state.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	COLUMN_TABLE = 1, COLUMN_RELID, COLUMN_STATE, COLUMN_REASON, COLUMN_COPY_FROM,
	COLUMN_COPY_AFTER, COLUMNS = COLUMN_COPY_AFTER
};

static const char *const status_names[] = {
	[TG_TABLE_SYNCED] = "synced",
	[TG_TABLE_COPYING] = "copying",
	[TG_TABLE_PAUSED] = "paused",
	[TG_TABLE_MISSING] = "missing",
};

static TgTableStatus
status_from_name(const char *name)
{
	for (int i = 0; i < lengthof(status_names); i++)
		if (strcmp(status_names[i], name) == 0)
			return i;
	elog(ERROR, "unknown table state \"%s\"", name);
}

static void
read_state(Relation rel, HeapTuple tuple, TgTableState *state)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		value;

	memset(state, 0, sizeof(*state));
	state->table = DatumGetInt32(heap_getattr(tuple, COLUMN_TABLE, desc, &isnull));
	state->relid = DatumGetObjectId(heap_getattr(tuple, COLUMN_RELID, desc, &isnull));
	value = heap_getattr(tuple, COLUMN_STATE, desc, &isnull);
	state->status = status_from_name(TextDatumGetCString(value));
	value = heap_getattr(tuple, COLUMN_REASON, desc, &isnull);
	state->reason = isnull ? NULL : TextDatumGetCString(value);
	value = heap_getattr(tuple, COLUMN_COPY_FROM, desc, &isnull);
	state->copy_from = isnull ? 0 : DatumGetInt32(value);
	value = heap_getattr(tuple, COLUMN_COPY_AFTER, desc, &isnull);
	if (!isnull)
	{
		bytea	   *after = DatumGetByteaPCopy(value);

		state->copy_after = tg_bytes_of_varlena(after);
	}
}

static SysScanDesc
begin_scan(Relation rel, TgTableId table, Snapshot snapshot)
{
	ScanKeyData key;

	ScanKeyInit(&key, COLUMN_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table));
	return systable_beginscan(rel, tg_catalog_oid(TG_CAT_TABLE_STATE_PKEY), true, snapshot, 1, &key);
}

/*
 * The state of one table as of now; false if it is not attached here.
 */
bool
tg_table_state_get(TgTableId table, TgTableState *state)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TABLE_STATE), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = begin_scan(rel, table, snapshot);
	HeapTuple	tuple = systable_getnext(scan);

	if (tuple != NULL)
		read_state(rel, tuple, state);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return tuple != NULL;
}

static HeapTuple
form_state(Relation rel, const TgTableState *state)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};

	values[COLUMN_TABLE - 1] = Int32GetDatum(state->table);
	values[COLUMN_RELID - 1] = ObjectIdGetDatum(state->relid);
	values[COLUMN_STATE - 1] = CStringGetTextDatum(status_names[state->status]);
	nulls[COLUMN_REASON - 1] = state->reason == NULL;
	if (state->reason != NULL)
		values[COLUMN_REASON - 1] = CStringGetTextDatum(state->reason);
	nulls[COLUMN_COPY_FROM - 1] = state->copy_from == 0;
	values[COLUMN_COPY_FROM - 1] = Int32GetDatum(state->copy_from);
	nulls[COLUMN_COPY_AFTER - 1] = state->copy_after.data == NULL;
	if (state->copy_after.data != NULL)
		values[COLUMN_COPY_AFTER - 1] =
			PointerGetDatum(cstring_to_text_with_len(state->copy_after.data, state->copy_after.len));
	return heap_form_tuple(RelationGetDescr(rel), values, nulls);
}

/*
 * Store the state of a table, new or not.  Concurrent changes of one table's
 * state make the later one fail; SHARE ROW EXCLUSIVE keeps them apart.
 */
void
tg_table_state_put(const TgTableState *state)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TABLE_STATE), ShareRowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = begin_scan(rel, state->table, snapshot);
	HeapTuple	old = systable_getnext(scan);
	HeapTuple	new = form_state(rel, state);

	if (old == NULL)
		CatalogTupleInsert(rel, new);
	else
		CatalogTupleUpdate(rel, &old->t_self, new);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/*
 * The table is no longer replicated here.
 */
void
tg_table_state_remove(TgTableId table)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TABLE_STATE), ShareRowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = begin_scan(rel, table, snapshot);
	HeapTuple	old = systable_getnext(scan);

	if (old != NULL)
		CatalogTupleDelete(rel, &old->t_self);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/*
 * The states of all tables, of TgTableState.
 */
List *
tg_table_states(void)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TABLE_STATE), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	List	   *states = NIL;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		TgTableState *state = palloc(sizeof(TgTableState));

		read_state(rel, tuple, state);
		states = lappend(states, state);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return states;
}

/*
 * The ids of the tables that the cluster replicates.
 */
static List *
listed_tables(void)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_REPLICATED_TABLE), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	List	   *tables = NIL;
	bool		isnull;

	while ((tuple = systable_getnext(scan)) != NULL)
		tables = lappend_int(tables, DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull)));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return tables;
}

/*
 * Is every table that the cluster replicates in step here?  If not, this node
 * must not claim to have merged what it may have left.
 */
bool
tg_tables_in_step(void)
{
	List	   *synced = NIL;
	ListCell   *lc;

	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);

		if (state->table < TG_FIRST_USER_TABLE)
			continue;
		if (state->status != TG_TABLE_SYNCED)
			return false;
		synced = lappend_int(synced, state->table);
	}
	return list_difference_int(listed_tables(), synced) == NIL;
}
