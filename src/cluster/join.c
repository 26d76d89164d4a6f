/*-------------------------------------------------------------------------
 *
 * src/cluster/join.c
 *	  How a database joins a cluster.
 *
 * The first part, in one transaction of the new node:
 *	1. compare facts with the member at "via";
 *	2. be admitted there, by the votes of a majority: that gives the node id;
 *	3. read how far that member has come with everybody's journal;
 *	4. copy the cluster's metadata, attach the tables;
 *	5. start everybody's journal where step 3 says.
 * What changes after step 3 is behind those cursors; what changed before is in
 * the tables of that member, which are copied afterwards as any table that is
 * not in step, see transport/copy_table.c.
 *
 * The vector of the member is not taken over: until the tables are copied it
 * would not be true, and what our journal said of it would mislead those who
 * read it.  The peers' own marks, which come with their answers, make a new
 * one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/catalog.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/sql.h"
#include "base/wait.h"
#include "catalog/pg_authid_d.h"
#include "clock/node_clock.h"
#include "cluster/facts.h"
#include "cluster/join.h"
#include "cluster/membership.h"
#include "cluster/reach.h"
#include "cluster/tables.h"
#include "cluster/view_vote.h"
#include "executor/spi.h"
#include "journal/append.h"
#include "miscadmin.h"
#include "row/table.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "transport/copy.h"
#include "transport/cursors.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/resume.h"
#include "transport/state.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#define TABLE_ID_NODE				1
#define TABLE_ID_REPLICATED_TABLE	2
#define POLL_MS						20
#define VOTING_TIMEOUT_MS			60000

/*
 * The members have to vote, so it may take longer than other answers.
 */
static TgNodeId
ask_for_admission(TgLink *link, const char *name, const char *dsn)
{
	TgLinkParam params[] = {{name, 0, false}, {dsn, 0, false}, {tg_database_identity(), 0, false}};
	TgBytes		answer;

	tg_link_send(link, "SELECT topgun_internal.admit($1, $2, $3)::text", 3, params);
	answer = tg_link_receive(link, VOTING_TIMEOUT_MS);
	return atoi(pnstrdup(answer.data, answer.len));
}

static void
copy_metadata(TgLink *link, TgNodeId peer, TgTableId table)
{
	TgCopyPlace place = {0};

	while (tg_copy_chunk(link, peer, table, &place))
		CHECK_FOR_INTERRUPTS();
}

/*
 * A table that differs is for somebody to see to, so better now than when it
 * is copied.
 */
static void
require_alike(TgLink *link, const TgListedTable *table)
{
	char	   *theirs = tg_ask_fingerprint(link, table->id);
	Relation	rel;

	if (theirs == NULL || strcmp(tg_fingerprint_text(table->id), theirs) == 0)
		return;
	rel = relation_open(tg_table_relid(table->id), NoLock);
	ereport(ERROR,
			(errcode(ERRCODE_TG_SCHEMA_DIFFERS),
			 errmsg("table \"%s.%s\" differs from the cluster's",
					table->schema_name, table->table_name),
			 errdetail("Columns or key are not those of the member that was asked; here: %s",
					   tg_table_get(rel)->description)));
}

static void
attach_all(TgLink *link, TgNodeId peer)
{
	ListCell   *lc;

	copy_metadata(link, peer, TABLE_ID_NODE);
	copy_metadata(link, peer, TABLE_ID_REPLICATED_TABLE);
	foreach(lc, tg_tables_listed())
	{
		TgListedTable *table = lfirst(lc);

		tg_table_attach_listed(table, peer);
		require_alike(link, table);
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
		cursor->vector = tg_vector_create();
		tg_peer_cursor_save(cursor);
	}
	tg_journal_set_source(via, NULL);
}

/*
 * The first part of a join, in the caller's transaction, except for the
 * admission at the member: this database becomes a node of the cluster that
 * the member at "via" belongs to.  Locks the tables with ACCESS EXCLUSIVE.
 */
TgNodeId
tg_join_begin(const char *name, const char *dsn, const char *via)
{
	TgSqlSession session;
	TgLink	   *link;
	TgFacts    *facts;
	TgNodeId	node;
	List	   *cursors;

	/* two joins at a time: the second one finds a node */
	LockRelationOid(tg_catalog_oid(TG_CAT_LOCAL_NODE), ShareUpdateExclusiveLock);
	tg_require_not_a_node();
	tg_require_sound_name(name);
	tg_link_check_dsn(dsn);
	tg_link_check_dsn(via);

	link = tg_link_open(via, "via");
	facts = tg_facts_ask(link);
	tg_facts_require_alike(facts);
	node = ask_for_admission(link, name, dsn);
	tg_clock_observe(facts->clock);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	tg_become_node(node, facts->cluster_id);
	(void) tg_sql_run("UPDATE topgun.local_node SET joined_via = %d", facts->node);
	tg_view_adopt(link);
	TG_FAILPOINT("join-after-view");
	cursors = tg_cursors_ask(link);
	attach_all(link, facts->node);
	save_cursors(cursors, node, facts->node);
	tg_floor_adopt(link, tg_member_find(facts->node));
	tg_sql_end(&session);
	tg_link_close(link);
	return node;
}

/*
 * The node that this database has become by a join of that name, which may
 * not be complete; 0 if it has not.
 */
TgNodeId
tg_join_resumed(const char *name, const char *dsn)
{
	TgSqlSession session;
	TgNodeId	node = 0;
	bool		isnull;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	if (tg_sql_run("SELECT l.node_id FROM topgun.local_node AS l JOIN topgun.node AS n ON n.id = l.node_id "
				   "WHERE l.database = %u AND l.joined_via IS NOT NULL AND n.name = %s AND n.dsn = %s",
				   MyDatabaseId, quote_literal_cstr(name), quote_literal_cstr(dsn)) > 0)
		node = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	tg_sql_end(&session);
	return node;
}

/*
 * Say of each table once that it waits for somebody; the list of those of
 * which it was said.
 */
static List *
warn_of_paused(List *warned, MemoryContext context)
{
	ListCell   *lc;

	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);
		MemoryContext old;

		if (state->status != TG_TABLE_PAUSED || list_member_int(warned, state->table))
			continue;
		ereport(WARNING,
				(errcode(ERRCODE_TG_SCHEMA_DIFFERS),
				 errmsg("table %d is paused", state->table),
				 errdetail_internal("%s", state->reason != NULL ? state->reason : "no reason is known"),
				 errhint("The join goes on when the table is as it is on the other nodes.")));
		old = MemoryContextSwitchTo(context);
		warned = lappend_int(warned, state->table);
		MemoryContextSwitchTo(old);
	}
	return warned;
}

/*
 * Wait until every table is in step.  The copies go on without us.
 */
void
tg_join_wait(void)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "topgun join", ALLOCSET_DEFAULT_SIZES);
	List	   *warned = NIL;

	MemoryContextSwitchTo(context);
	while (!tg_tables_in_step())
	{
		warned = warn_of_paused(warned, caller);
		MemoryContextReset(context);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_MS, tg_wait_event(TG_WAIT_PAUSE));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
