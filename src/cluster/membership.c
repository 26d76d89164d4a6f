/*-------------------------------------------------------------------------
 *
 * src/cluster/membership.c
 *	  How a database becomes a node.
 *
 * It is the first of a cluster, or asks a member to be admitted; what it does
 * then is in join.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/catalog.h"
#include "base/error.h"
#include "base/sql.h"
#include "capture/announce.h"
#include "catalog/pg_authid_d.h"
#include "clock/identity.h"
#include "cluster/membership.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "transport/link.h"
#include "utils/builtins.h"

/*
 * Errors out if this database is a node.
 */
void
tg_require_not_a_node(void)
{
	TgNodeId	node = tg_node_id();

	if (node != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database is already node %d of a cluster", node)));
}

/*
 * Errors out unless this can be the name of a node.
 */
void
tg_require_sound_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid node name \"%s\"", name),
				 errhint("A node name has 1 to %d bytes.", NAMEDATALEN - 1)));
}

static void
insert_node(TgNodeId node, const char *name, const char *dsn)
{
	(void) tg_sql_run("INSERT INTO topgun.node (id, name, dsn) VALUES (%d, %s, %s)",
					  node, quote_literal_cstr(name), quote_literal_cstr(dsn));
}

/*
 * Remember who we are.  The cluster id is given, or made if NULL.  The metadata
 * of a restored dump, if there are any, are rows that nobody watched.
 */
void
tg_become_node(TgNodeId node, const char *cluster_id)
{
	if (cluster_id == NULL)
		(void) tg_sql_run("INSERT INTO topgun.local_node (node_id, cluster_id, database) VALUES (%d, gen_random_uuid(), %u)",
						  node, MyDatabaseId);
	else
		(void) tg_sql_run("INSERT INTO topgun.local_node (node_id, cluster_id, database) VALUES (%d, %s, %u)",
						  node, quote_literal_cstr(cluster_id), MyDatabaseId);
	tg_node_id_assume(node);
	tg_table_announce(tg_catalog_oid(TG_CAT_NODE));
	tg_table_announce(tg_catalog_oid(TG_CAT_REPLICATED_TABLE));
}

/*
 * Make this database node 1 of a new cluster.
 */
TgNodeId
tg_create_cluster(const char *name, const char *dsn)
{
	const TgNodeId first = 1;
	TgSqlSession session;

	tg_require_not_a_node();
	tg_require_sound_name(name);
	tg_link_check_dsn(dsn);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	/* a restored dump has the members of another cluster */
	(void) tg_sql_run("TRUNCATE topgun.node");
	tg_become_node(first, NULL);
	insert_node(first, name, dsn);
	tg_sql_end(&session);
	return first;
}

/*
 * Errors out unless the connection string leads to the database that says it
 * is "identity", so that we and all others can pull from it.
 */
static void
require_leads_to(const char *dsn, const char *name, const char *identity)
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
 * What tells this database from all others.
 */
char *
tg_database_identity(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

/*
 * A node asks to be a member: give it an id.  One that asks again, after a
 * join that failed halfway, gets the same.
 */
TgNodeId
tg_admit(const char *name, const char *dsn, const char *identity)
{
	TgSqlSession session;
	TgNodeId	node;
	bool		isnull;

	(void) tg_node_id_required();
	tg_require_sound_name(name);
	tg_link_check_dsn(dsn);
	require_leads_to(dsn, name, identity);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("LOCK TABLE topgun.node IN SHARE ROW EXCLUSIVE MODE");
	if (tg_sql_run("SELECT id, dsn = %s FROM topgun.node WHERE name = %s",
				   quote_literal_cstr(dsn), quote_literal_cstr(name)) > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];

		if (!DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull)))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("the cluster has a node \"%s\" with another connection string", name),
					 errhint("Choose another name.")));
		node = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
	}
	else
	{
		(void) tg_sql_run("SELECT max(id) + 1 FROM topgun.node");
		node = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		if (node > TG_MAX_NODE)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("the cluster has used up its %d node ids", TG_MAX_NODE)));
		insert_node(node, name, dsn);
	}
	tg_sql_end(&session);
	return node;
}
