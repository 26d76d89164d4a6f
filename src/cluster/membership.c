/*-------------------------------------------------------------------------
 *
 * src/cluster/membership.c
 *	  How a database becomes a node.
 *
 * join() runs at the new node, in one transaction:
 *	1. compare facts with the member at "via";
 *	2. be admitted there: that gives the node id;
 *	3. read how far that member has come with everybody's journal;
 *	4. copy the cluster's metadata, attach the tables, copy them;
 *	5. start everybody's journal where step 3 says.
 * What changes after step 3 is behind those cursors; what changed before is in
 * the copies, which are made later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/catalog.h"
#include "base/error.h"
#include "base/sql.h"
#include "capture/announce.h"
#include "catalog/pg_authid_d.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/facts.h"
#include "cluster/membership.h"
#include "cluster/tables.h"
#include "executor/spi.h"
#include "journal/append.h"
#include "miscadmin.h"
#include "transport/copy.h"
#include "transport/cursors.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/state.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#define TABLE_ID_NODE				1
#define TABLE_ID_REPLICATED_TABLE	2

static void
require_not_a_node(void)
{
	TgNodeId	node = tg_node_id();

	if (node != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database is already node %d of a cluster", node)));
}

static void
require_sound_name(const char *name)
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
static void
become_node(TgNodeId node, const char *cluster_id)
{
	if (cluster_id == NULL)
		(void) tg_sql_run("INSERT INTO topgun.local_node VALUES (%d, gen_random_uuid(), %u)",
						  node, MyDatabaseId);
	else
		(void) tg_sql_run("INSERT INTO topgun.local_node VALUES (%d, %s, %u)",
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

	require_not_a_node();
	require_sound_name(name);
	tg_link_check_dsn(dsn);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	become_node(first, NULL);
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
	require_sound_name(name);
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

static TgNodeId
ask_for_admission(TgLink *link, const char *name, const char *dsn)
{
	TgLinkParam params[] = {{name, 0, false}, {dsn, 0, false}, {tg_database_identity(), 0, false}};

	return atoi(tg_link_ask(link, "SELECT topgun_internal.admit($1, $2, $3)::text", 3, params));
}

static void
copy_table(TgLink *link, TgNodeId peer, TgTableId table)
{
	TgCopyPlace place = {0};

	while (tg_copy_chunk(link, peer, table, &place))
		CHECK_FOR_INTERRUPTS();
}

static void
copy_all(TgLink *link, TgNodeId peer)
{
	ListCell   *lc;

	copy_table(link, peer, TABLE_ID_NODE);
	copy_table(link, peer, TABLE_ID_REPLICATED_TABLE);
	foreach(lc, tg_tables_listed())
	{
		TgListedTable *table = lfirst(lc);
		TgTableState state;

		tg_table_attach_listed(table, peer);
		copy_table(link, peer, table->id);

		if (!tg_table_state_get(table->id, &state))
			elog(ERROR, "table %d has no state", table->id);
		if (state.status == TG_TABLE_PAUSED)
			ereport(ERROR,
					(errcode(ERRCODE_TG_SCHEMA_DIFFERS),
					 errmsg("table \"%s.%s\" differs from the cluster's",
							table->schema_name, table->table_name),
					 errdetail_internal("%s", state.reason)));
		state.status = TG_TABLE_SYNCED;
		state.copy_from = 0;
		tg_table_state_put(&state);
	}
}

/*
 * Start everybody's journal where the copies leave off.
 */
static void
save_cursors(List *cursors, TgNodeId self, TgNodeId via)
{
	ListCell   *lc;

	foreach(lc, cursors)
	{
		TgPeerCursor *cursor = lfirst(lc);

		if (cursor->peer == self)
			continue;
		tg_peer_cursor_save(cursor);
		if (cursor->peer == via)
			tg_journal_set_source(via, cursor->vector);
	}
}

/*
 * Make this database a node of the cluster that the member at "via" belongs
 * to.  All in the caller's transaction, except the admission there.  Locks the
 * tables with ACCESS EXCLUSIVE.
 */
TgNodeId
tg_join(const char *name, const char *dsn, const char *via)
{
	TgSqlSession session;
	TgLink	   *link;
	TgFacts    *facts;
	TgNodeId	node;
	List	   *cursors;

	require_not_a_node();
	require_sound_name(name);
	tg_link_check_dsn(dsn);
	tg_link_check_dsn(via);

	link = tg_link_open(via, "via");
	facts = tg_facts_ask(link);
	tg_facts_require_alike(facts);
	node = ask_for_admission(link, name, dsn);
	tg_clock_observe(facts->clock);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	become_node(node, facts->cluster_id);
	cursors = tg_cursors_ask(link);
	copy_all(link, facts->node);
	save_cursors(cursors, node, facts->node);
	tg_floor_adopt(link, tg_member_find(facts->node));
	tg_sql_end(&session);
	tg_link_close(link);
	return node;
}
