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

#include "base/catalog.h"
#include "base/error.h"
#include "base/sql.h"
#include "capture/announce.h"
#include "catalog/pg_authid_d.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "cluster/membership.h"
#include "cluster/reach.h"
#include "cluster/view_errand.h"
#include "cluster/view_vote.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "transport/link.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

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

static void
install_first_view(TgNodeId node, const char *name, const char *dsn)
{
	TgView		view = {
		.epoch = TG_FIRST_EPOCH,
		.next_node = node + 1,
		.proposer = node,
		.at = GetCurrentTimestamp(),
		.reason = TG_VIEW_CREATED,
		.subject = pstrdup(name),
		.nmembers = 1,
		.members = {{.node = node,.since = TG_FIRST_EPOCH,.name = pstrdup(name),.dsn = pstrdup(dsn)}}
	};

	view.id = tg_view_random_id();
	tg_view_install_first(&view);
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
	install_first_view(first, name, dsn);
	return first;
}

/*
 * A node asks to be a member: have the members agree, and give it an id.  One
 * that asks again, after a join that failed halfway, gets the same.
 */
TgNodeId
tg_admit(const char *name, const char *dsn, const char *identity)
{
	TgViewChange change = {.reason = TG_VIEW_JOIN,.name = name,.dsn = dsn};
	const TgViewMember *member;

	(void) tg_node_id_required();
	tg_require_sound_name(name);
	tg_link_check_dsn(dsn);
	tg_require_leads_to(dsn, name, identity);

	member = tg_view_find_name(tg_view_change_apart(&change), name);
	if (member == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("node \"%s\" was removed again while it joined", name)));
	return member->node;
}
