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
#include "base/error.h"
#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/facts.h"
#include "cluster/membership.h"
#include "cluster/tables.h"
#include "executor/spi.h"
#include "journal/append.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "miscadmin.h"
#include "transport/copy.h"
#include "transport/cursor.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/state.h"
#include "transport/wire.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#define CURSORS_TIMEOUT_MS			60000

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
 * Remember who we are.  The cluster id is given, or made if NULL.
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
	TgBytes		after = {NULL, 0};

	while (tg_copy_chunk(link, peer, table, &after))
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
 * Read what tg_cursors_for_joiner() says at the member, a list of
 * TgPeerCursor.
 */
static void
read_cursors(TgLink *link, TgNodeId self, List **cursors)
{
	TgBytes		answer;
	TgReader	reader;

	tg_link_send(link, "SELECT topgun_internal.cursors()", 0, NULL);
	answer = tg_link_receive(link, CURSORS_TIMEOUT_MS);
	tg_reader_init(&reader, answer.data, answer.len);
	while (!tg_reader_at_end(&reader))
	{
		TgPeerCursor *cursor = palloc(sizeof(TgPeerCursor));

		cursor->peer = tg_read_u16(&reader);
		cursor->cursor.position = tg_read_u64(&reader);
		cursor->cursor.part = tg_read_u32(&reader);
		cursor->vector = tg_vector_read(&reader);
		if (cursor->vector == NULL)
			break;
		if (cursor->peer != self)
			*cursors = lappend(*cursors, cursor);
	}
	if (!tg_reader_ok(&reader))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken cursors from the member")));
}

/*
 * Start everybody's journal where the copies leave off.
 */
static void
save_cursors(List *cursors, TgNodeId via)
{
	ListCell   *lc;

	foreach(lc, cursors)
	{
		TgPeerCursor *cursor = lfirst(lc);

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
	List	   *cursors = NIL;

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
	read_cursors(link, node, &cursors);
	copy_all(link, facts->node);
	save_cursors(cursors, facts->node);
	tg_sql_end(&session);
	tg_link_close(link);
	return node;
}

/*
 * What a node that joins by us has to know before it copies our tables: how
 * far we are in everybody's journal, and our own position.
 */
StringInfo
tg_cursors_for_joiner(void)
{
	TgNodeId	self = tg_node_id_required();
	StringInfo	buf = makeStringInfo();
	TgStamp		mark = tg_mark_for_journal(self);
	TgPosition	horizon = tg_inflight_horizon(self);
	TgVector   *merged = tg_peer_cursor_vector();
	ListCell   *lc;

	if (!tg_tables_in_step())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("node %d has tables that are not in step", self),
				 errhint("Join by another member, or see topgun.stat_table on this one.")));

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);
		TgPeerCursor cursor;

		if (member->node == self)
		{
			(void) tg_vector_raise(merged, self, mark);
			cursor.vector = merged;
			cursor.cursor = tg_cursor_after(horizon);
		}
		else
			tg_peer_cursor_load(member->node, &cursor);
		tg_write_u16(buf, member->node);
		tg_write_u64(buf, cursor.cursor.position);
		tg_write_u32(buf, cursor.cursor.part);
		tg_vector_write(buf, cursor.vector);
	}
	return buf;
}
