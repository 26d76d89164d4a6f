/*-------------------------------------------------------------------------
 *
 * src/cluster/tables.c
 *	  Making the tables of this node what the cluster says they are.
 *
 * topgun.replicated_table travels like any table; here its rows become true.
 * A table that has appeared is attached and then copied from a peer that has
 * it; rows that were here before are announced to all.  A table that cannot
 * be attached is 'missing', with the reason, and tried again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/sql.h"
#include "capture/announce.h"
#include "capture/attach.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid_d.h"
#include "clock/identity.h"
#include "cluster/tables.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "row/table.h"
#include "transport/member.h"
#include "transport/state.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#define NODE_SHIFT			20	/* of a table id: who has added it */
#define ATTACH_LOCK_TIMEOUT	"1s"	/* do not queue for long before writers */

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
 * Attach a table of the cluster that is here under its name, and have it
 * copied from a peer (0: there is none).  Errors out if it cannot be.  Locks
 * it with ACCESS EXCLUSIVE.
 */
void
tg_table_attach_listed(const TgListedTable *table, TgNodeId copy_from)
{
	Oid			schema = get_namespace_oid(table->schema_name, true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(table->table_name, schema) : InvalidOid;
	TgTableState state = {
		.table = table->id,
		.relid = relid,
		.status = copy_from != 0 ? TG_TABLE_COPYING : TG_TABLE_SYNCED,
		.copy_from = copy_from
	};

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s.%s\" does not exist on this node",
						table->schema_name, table->table_name),
				 errhint("Create it as it is on the other nodes.")));
	tg_table_attach(relid, table->id, table->stamping_by_trigger);
	tg_table_state_put(&state);
	tg_table_announce(relid);
}

/*
 * Whom to copy a table from: the node that has added it, or else any other.
 */
static TgNodeId
choose_source(TgTableId id)
{
	TgNodeId	self = tg_node_id_required();
	TgNodeId	source = 0;
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (!member->is_active || member->node == self)
			continue;
		if (member->node == id >> NODE_SHIFT)
			return member->node;
		source = member->node;
	}
	return source;
}

/*
 * Attach a table, or note why not.  True if it is attached now.
 */
static bool
try_attach(const TgListedTable *table, const char *last_reason)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	TgTableState state = {.table = table->id,.status = TG_TABLE_MISSING};
	volatile bool attached = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		(void) set_config_option("lock_timeout", ATTACH_LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
		tg_table_attach_listed(table, choose_source(table->id));
		ReleaseCurrentSubTransaction();
		attached = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		state.reason = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;

	if (!attached && (last_reason == NULL || strcmp(last_reason, state.reason) != 0))
		tg_table_state_put(&state);
	return attached;
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

static bool
is_listed(List *tables, TgTableId id)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		if (((TgListedTable *) lfirst(lc))->id == id)
			return true;
	}
	return false;
}

/*
 * The cluster does not replicate the table any more: leave it as it was found.
 */
static void
forget_table(const TgTableState *state)
{
	TgSqlSession session;

	if (OidIsValid(state->relid) && get_rel_name(state->relid) != NULL)
		tg_table_detach(state->relid);
	tg_table_state_remove(state->table);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("DELETE FROM topgun.tombstone WHERE table_id = %d", state->table);
	(void) tg_sql_run("DELETE FROM topgun.truncation WHERE table_id = %d", state->table);
	(void) tg_sql_run("DELETE FROM topgun.quarantine WHERE table_id = %d", state->table);
	tg_sql_end(&session);
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

		if (state->table >= TG_FIRST_USER_TABLE && !is_listed(tables, state->table))
		{
			forget_table(state);
			return true;
		}
	}
	foreach(lc, tables)
	{
		TgListedTable *table = lfirst(lc);
		TgTableState *state = find_state(states, table->id);
		bool		is_here = state != NULL && state->status != TG_TABLE_MISSING &&
		get_rel_name(state->relid) != NULL;

		if (!is_here && try_attach(table, state ? state->reason : NULL))
			return true;
	}
	return false;
}
