/*-------------------------------------------------------------------------
 *
 * src/worker/dropdb.c
 *	  Workers make way for DROP DATABASE and DROP EXTENSION.
 *
 * A database cannot be dropped, renamed or copied while somebody is connected
 * to it.  Our workers are asked to leave first; if the statement fails all the
 * same, the launcher sends them back in.  Who may not do it, cannot disturb
 * them: what the server will check is checked before.
 *
 * DROP EXTENSION locks all tables of ours, in an order of its own: workers that
 * are at work could deadlock with it.  They come back if it is rolled back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "worker/dropdb.h"
#include "worker/roster.h"

static ProcessUtility_hook_type prev_process_utility = NULL;

/* This transaction has sent the workers out of its own database. */
static bool is_cleared = false;

/*
 * The database that the statement wants for itself, or NULL.
 */
static const char *
database_needed_alone(Node *statement)
{
	if (IsA(statement, DropdbStmt))
		return ((DropdbStmt *) statement)->dbname;
	if (IsA(statement, RenameStmt) && ((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
		return ((RenameStmt *) statement)->subname;
	if (IsA(statement, CreatedbStmt))
	{
		ListCell   *lc;

		foreach(lc, ((CreatedbStmt *) statement)->options)
		{
			DefElem    *option = lfirst(lc);

			if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
				return defGetString(option);
		}
	}
	return NULL;
}

static bool
may_create_databases(void)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	bool		may;

	if (!HeapTupleIsValid(tuple))
		return false;
	may = superuser() || ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	ReleaseSysCache(tuple);
	return may;
}

/*
 * May the user do this with that database?
 */
static bool
is_allowed(Node *statement, Oid database)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	Form_pg_database form;
	bool		is_enough;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_database) GETSTRUCT(tuple);
	is_enough = form->datallowconn &&	/* else nobody is in it */
		(has_privs_of_role(GetUserId(), form->datdba) ||
		 (IsA(statement, CreatedbStmt) && form->datistemplate));
	ReleaseSysCache(tuple);

	return is_enough && (IsA(statement, DropdbStmt) || may_create_databases());
}

/*
 * The database that the workers have to leave for the statement, InvalidOid if
 * there is none, or if the statement will fail anyway.
 */
static Oid
database_to_clear(Node *statement, ProcessUtilityContext context)
{
	const char *name = database_needed_alone(statement);
	Oid			database = name != NULL ? get_database_oid(name, true) : InvalidOid;
	bool		is_alone = context == PROCESS_UTILITY_TOPLEVEL && !IsTransactionBlock();

	if (!OidIsValid(database) || database == MyDatabaseId)
		return InvalidOid;
	if (!is_alone && !IsA(statement, RenameStmt))
		return InvalidOid;
	return is_allowed(statement, database) ? database : InvalidOid;
}

static bool
drops_extension(Node *statement)
{
	ListCell   *lc;

	if (!IsA(statement, DropStmt) || ((DropStmt *) statement)->removeType != OBJECT_EXTENSION)
		return false;
	foreach(lc, ((DropStmt *) statement)->objects)
	{
		if (strcmp(strVal(lfirst(lc)), "topgun") == 0)
			return true;
	}
	return false;
}

static void
clear_own_database(void)
{
	is_cleared = true;
	tg_roster_clear_database(MyDatabaseId);
}

static void
end_transaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;
	if (is_cleared && event == XACT_EVENT_ABORT)
		tg_roster_want_in(MyDatabaseId);
	is_cleared = false;
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	volatile Oid database = database_to_clear(pstmt->utilityStmt, context);
	bool		is_drop = IsA(pstmt->utilityStmt, DropdbStmt);
	volatile bool is_gone = false;
	ProcessUtility_hook_type next = prev_process_utility ? prev_process_utility : standard_ProcessUtility;

	if (drops_extension(pstmt->utilityStmt) && superuser() && tg_catalog_exists())
		clear_own_database();
	if (!OidIsValid(database))
	{
		next(pstmt, query, read_only_tree, context, params, environment, dest, completion);
		return;
	}

	tg_roster_clear_database(database);
	PG_TRY();
	{
		next(pstmt, query, read_only_tree, context, params, environment, dest, completion);
		is_gone = is_drop;
	}
	PG_FINALLY();
	{
		if (!is_gone)
			tg_roster_want_in(database);
	}
	PG_END_TRY();
}

/*
 * Install the hook.  Call once, from _PG_init().
 */
void
tg_dropdb_install(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	RegisterXactCallback(end_transaction, NULL);
}
