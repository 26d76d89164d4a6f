/*-------------------------------------------------------------------------
 *
 * src/cluster/tables.c
 *	  Making the tables of this node what the cluster says they are.
 *
 * topgun.replicated_table travels like any table; here its rows become true.
 * A table that has appeared is attached and then copied from its peers; rows
 * that were here before are announced to all.  A table that cannot be attached
 * is 'missing', with the reason, and tried again.
 *
 * Two nodes may have added one table at a time.  Then it has two ids, and each
 * node sees the other's: both give up the greater one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/attempt.h"
#include "base/sql.h"
#include "capture/announce.h"
#include "capture/attach.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid_d.h"
#include "clock/identity.h"
#include "cluster/tables.h"
#include "digest/tree_store.h"
#include "executor/spi.h"
#include "journal/fold.h"
#include "miscadmin.h"
#include "row/table.h"
#include "transport/resume.h"
#include "transport/state.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define NODE_SHIFT			20	/* of a table id: who has added it */
#define LOCK_TIMEOUT		"200ms" /* do not queue for long before others */
#define FIRST_PAUSE_MS		1000	/* when a lock was not to be had, doubled */
#define MAX_DOUBLINGS		5	/* that many times */

/*
 * All tables that the cluster replicates, of TgListedTable, in the current
 * memory context.
 */
List *
tg_tables_listed(void)
{
	MemoryContext caller = CurrentMemoryContext;
	TgSqlSession session;
	List	   *tables = NIL;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("SELECT id, schema_name, table_name, options->>'stamping' = 'trigger' "
					  "FROM topgun.replicated_table ORDER BY id");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		MemoryContext old = MemoryContextSwitchTo(caller);
		TgListedTable *table = palloc(sizeof(TgListedTable));

		table->id = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		table->schema_name = pstrdup(TextDatumGetCString(SPI_getbinval(row, desc, 2, &isnull)));
		table->table_name = pstrdup(TextDatumGetCString(SPI_getbinval(row, desc, 3, &isnull)));
		table->stamping_by_trigger = DatumGetBool(SPI_getbinval(row, desc, 4, &isnull)) && !isnull;
		tables = lappend(tables, table);
		MemoryContextSwitchTo(old);
	}
	tg_sql_end(&session);
	return tables;
}

/*
 * Is there a table with this id among those of tg_tables_listed()?
 */
bool
tg_table_is_listed(List *tables, TgTableId id)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		if (((TgListedTable *) lfirst(lc))->id == id)
			return true;
	}
	return false;
}

static Oid
relid_of(const TgListedTable *table)
{
	Oid			schema = get_namespace_oid(table->schema_name, true);

	return OidIsValid(schema) ? get_relname_relid(table->table_name, schema) : InvalidOid;
}

static void
attach(const TgListedTable *table, TgTableState *state)
{
	state->table = table->id;
	state->relid = relid_of(table);
	if (!OidIsValid(state->relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s.%s\" does not exist on this node",
						table->schema_name, table->table_name),
				 errhint("Create it as it is on the other nodes.")));
	tg_table_attach(state->relid, table->id, table->stamping_by_trigger);
	tg_table_state_put(state);
	tg_table_announce(state->relid);
}

/*
 * Attach a table of the cluster that is here under its name; it will be copied
 * from that peer.  Errors out if it cannot be.  Locks it with ACCESS
 * EXCLUSIVE.
 */
void
tg_table_attach_listed(const TgListedTable *table, TgNodeId copy_from)
{
	TgTableState state = {0};

	tg_copy_begin_join(&state, copy_from);
	attach(table, &state);
}

static void
attach_and_copy(void *arg)
{
	TgTableState state = {0};

	tg_copy_begin(&state);
	attach(arg, &state);
}

/*
 * The id under which a relation is replicated here, 0 if it is not.
 */
static TgTableId
attached_id(Oid relid)
{
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	TgTableId	id;

	if (rel == NULL)
		return 0;
	id = tg_table_id(rel);
	relation_close(rel, AccessShareLock);
	return id;
}

/*
 * Forget what this node keeps of a table that is replicated no more and has no
 * state any more.  Its id is never used again.
 */
void
tg_table_forget(TgTableId table)
{
	TgSqlSession session;

	tg_ranges_forget(table);
	(void) tg_fold_lock(true);
	tg_tree_forget(table);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("DELETE FROM topgun.tombstone WHERE table_id = %d", table);
	(void) tg_sql_run("DELETE FROM topgun.truncation WHERE table_id = %d", table);
	(void) tg_sql_run("DELETE FROM topgun.quarantine WHERE table_id = %d", table);
	tg_sql_end(&session);
}

/*
 * The cluster does not replicate the table any more: leave it as it was found.
 */
static void
forget_table(void *arg)
{
	const TgTableState *state = arg;

	if (attached_id(state->relid) == state->table)
		tg_table_detach(state->relid);
	tg_table_state_remove(state->table);
	tg_table_forget(state->table);
}

/*
 * Do something to a table that locks it, without waiting for long: others
 * queue behind.  NULL, or the error, then nothing has changed.
 */
static ErrorData *
try_change(void (*change) (void *), void *arg)
{
	int			guc_nest = NewGUCNestLevel();
	ErrorData  *error;

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	error = tg_attempt(change, arg);
	AtEOXact_GUC(true, guc_nest);
	return error;
}

static TgTableState *
find_state(List *states, TgTableId id)
{
	ListCell   *lc;

	foreach(lc, states)
	{
		TgTableState *state = lfirst(lc);

		if (state->table == id)
			return state;
	}
	return NULL;
}

/*
 * How long to leave a table alone that somebody had locked.  In the memory of
 * the janitor.
 */
typedef struct Pause
{
	TgTableId	table;			/* hash key; must be first */
	int			failures;		/* in a row */
	TimestampTz until;
} Pause;

static HTAB *pauses = NULL;

static bool
is_paused(TgTableId table)
{
	Pause	   *pause = pauses ? hash_search(pauses, &table, HASH_FIND, NULL) : NULL;

	return pause != NULL && pause->until > GetCurrentTimestamp();
}

static void
end_pause(TgTableId table)
{
	if (pauses != NULL)
		(void) hash_search(pauses, &table, HASH_REMOVE, NULL);
}

static void
lengthen_pause(TgTableId table)
{
	Pause	   *pause;
	bool		found;

	if (pauses == NULL)
	{
		HASHCTL		ctl = {
			.keysize = sizeof(TgTableId),
			.entrysize = sizeof(Pause),
			.hcxt = AllocSetContextCreate(TopMemoryContext, "topgun pauses", ALLOCSET_SMALL_SIZES)
		};

		pauses = hash_create("topgun pauses", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	pause = hash_search(pauses, &table, HASH_ENTER, &found);
	if (!found)
		pause->failures = 0;
	pause->until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
											   FIRST_PAUSE_MS << Min(pause->failures, MAX_DOUBLINGS));
	pause->failures++;
}

/*
 * Try to change a table, but not too often if somebody uses it all the time.
 * True if it is done; else the state says why not.
 */
static bool
change_now(void (*change) (void *), void *arg, TgTableState *state)
{
	ErrorData  *error;

	if (is_paused(state->table))
		return false;
	error = try_change(change, arg);
	if (error != NULL && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		lengthen_pause(state->table);
	else
		end_pause(state->table);
	if (error == NULL)
		return true;

	if (state->reason == NULL || strcmp(state->reason, error->message) != 0)
	{
		state->reason = error->message;
		tg_table_state_put(state);
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("table %d cannot be made what the cluster says it is: %s",
						state->table, error->message)));
	}
	return false;
}

/*
 * Is the table here already, under another id that the cluster knows as well?
 * Then the smaller id stays; the other is given up everywhere.
 */
static bool
resolve_duplicate(const TgListedTable *table, List *tables)
{
	TgTableId	other = attached_id(relid_of(table));
	TgSqlSession session;

	if (other >> NODE_SHIFT == table->id >> NODE_SHIFT || !tg_table_is_listed(tables, other))
		return false;
	ereport(LOG,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("table \"%s.%s\" was added on two nodes",
					table->schema_name, table->table_name),
			 errdetail("Id %d stays, id %d is given up.",
					   Min(table->id, other), Max(table->id, other))));
	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("DELETE FROM topgun.replicated_table WHERE id = %d", Max(table->id, other));
	tg_sql_end(&session);
	return true;
}

/*
 * Make one table right that is not; true if that was done and there may be
 * more.  In a transaction of its own, because of the locks.
 */
bool
tg_tables_reconcile(void)
{
	List	   *tables = tg_tables_listed();
	List	   *states = tg_table_states();
	ListCell   *lc;

	foreach(lc, states)
	{
		TgTableState *state = lfirst(lc);

		if (state->table < TG_FIRST_USER_TABLE || tg_table_is_listed(tables, state->table))
			continue;
		/* it may have been added after the list was read, before the states */
		if (!tg_table_is_listed(tg_tables_listed(), state->table) &&
			change_now(forget_table, state, state))
			return true;
	}
	foreach(lc, tables)
	{
		TgListedTable *table = lfirst(lc);
		TgTableState *state = find_state(states, table->id);
		TgTableState missing = {.table = table->id,.status = TG_TABLE_MISSING};

		if (state != NULL && state->status != TG_TABLE_MISSING &&
			get_rel_name(state->relid) != NULL)
			continue;
		if (resolve_duplicate(table, tables))
			return true;
		if (state != NULL && state->status == TG_TABLE_MISSING)
			missing.reason = state->reason;
		if (change_now(attach_and_copy, table, &missing))
			return true;
	}
	return false;
}
