/*-------------------------------------------------------------------------
 *
 * src/worker/dropdb.c
 *	  Workers make way for DROP DATABASE, and for its use as a template.
 *
 * A database cannot be dropped, renamed or copied while somebody is connected
 * to it.  Our workers are asked to leave first; if the statement fails all the
 * same, the launcher sends them back in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "worker/dropdb.h"
#include "worker/roster.h"

static ProcessUtility_hook_type prev_process_utility = NULL;

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

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	const char *name = database_needed_alone(pstmt->utilityStmt);
	Oid			database = name != NULL ? get_database_oid(name, true) : InvalidOid;
	volatile bool is_gone = false;
	ProcessUtility_hook_type next = prev_process_utility ? prev_process_utility : standard_ProcessUtility;

	if (!OidIsValid(database) || database == MyDatabaseId)
	{
		next(pstmt, query, read_only_tree, context, params, environment, dest, completion);
		return;
	}

	tg_roster_clear_database(database);
	PG_TRY();
	{
		next(pstmt, query, read_only_tree, context, params, environment, dest, completion);
		is_gone = IsA(pstmt->utilityStmt, DropdbStmt);
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
}
