/*-------------------------------------------------------------------------
 *
 * src/cluster/reach.c
 *	  Where a connection string leads.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/error.h"
#include "cluster/reach.h"
#include "miscadmin.h"
#include "transport/incarnation.h"
#include "transport/link.h"

/*
 * Errors out unless the connection string leads to the database that says it
 * is "identity", so that we and all others can pull from it.
 */
void
tg_require_leads_to(const char *dsn, const char *name, const char *identity)
{
	TgLink	   *link = tg_link_open(dsn, name);
	char	   *answer = tg_link_ask(link, "SELECT topgun_internal.database_identity()", 0, NULL);

	tg_link_close(link);
	if (answer == NULL || strcmp(answer, identity) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the connection string of node \"%s\" leads to another database", name),
				 errhint("It must lead from every member to the database that joins.")));
}

/*
 * What tells this database from all others, its copies included once it is a
 * node.
 */
char *
tg_database_identity(void)
{
	TgIncarnation life = tg_incarnation_current();

	return psprintf(UINT64_FORMAT "/%u/%u/" UINT64_FORMAT, GetSystemIdentifier(), MyDatabaseId,
					life.counter, life.random);
}
