/*-------------------------------------------------------------------------
 *
 * src/cluster/facts.c
 *	  What two nodes must have in common before they exchange rows.
 *
 * They travel as lines of text, so that versions of topgun that differ can
 * still tell each other so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/error.h"
#include "base/guc.h"
#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "catalog/pg_database.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/facts.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "transport/wire_part.h"
#include "utils/builtins.h"

/*
 * The default collation of this database: provider and locale.
 */
static char *
own_collation(void)
{
	MemoryContext caller = CurrentMemoryContext;
	TgSqlSession session;
	char	   *value;
	char	   *copy;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("SELECT concat_ws(' ', d.datlocprovider, d.datcollate, d.datctype, "
					  "COALESCE(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale')) "
					  "FROM pg_database AS d WHERE datname = current_database()");
	value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	copy = MemoryContextStrdup(caller, value);
	tg_sql_end(&session);
	return copy;
}

static char *
own_cluster_id(void)
{
	MemoryContext caller = CurrentMemoryContext;
	TgSqlSession session;
	char	   *copy = NULL;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	if (tg_sql_run("SELECT cluster_id::text FROM topgun.local_node") > 0)
		copy = MemoryContextStrdup(caller,
								   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	tg_sql_end(&session);
	return copy;
}

/*
 * The facts of this node, which must be a member of a cluster.
 */
char *
tg_facts_text(void)
{
	TgNodeId	node = tg_node_id_required();
	char		clock[TG_STAMP_TEXT_SIZE];

	tg_stamp_format(tg_clock_tick(node), clock);
	return psprintf("%d\n%s\n%d\n%s\n%s\n%s", node, own_cluster_id(), TG_WIRE_VERSION,
					GetDatabaseEncodingName(), own_collation(), clock);
}

static char *
next_line(char **rest)
{
	char	   *line = strsep(rest, "\n");

	if (line == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the peer runs a version of topgun that this one does not understand")));
	return line;
}

/*
 * Ask a node for its facts.
 */
TgFacts *
tg_facts_ask(TgLink *link)
{
	char	   *rest = tg_link_ask(link, "SELECT topgun_internal.facts()", 0, NULL);
	TgFacts    *facts = palloc(sizeof(TgFacts));

	facts->node = atoi(next_line(&rest));
	facts->cluster_id = next_line(&rest);
	facts->wire_version = atoi(next_line(&rest));
	facts->encoding = next_line(&rest);
	facts->collation = next_line(&rest);
	if (!tg_stamp_parse(next_line(&rest), &facts->clock))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the peer's clock cannot be read")));
	return facts;
}

static void
require_same(const char *what, const char *ours, const char *theirs)
{
	if (strcmp(ours, theirs) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TG_SCHEMA_DIFFERS),
				 errmsg("%s of this database differs from the cluster's", what),
				 errdetail("Here it is \"%s\", there \"%s\".", ours, theirs)));
}

/*
 * Errors out unless this database can exchange rows with that node.
 */
void
tg_facts_require_alike(const TgFacts *theirs)
{
	uint64		wall_ms = tg_clock_wall_ms();
	uint64		their_ms = tg_stamp_ms(theirs->clock);
	uint64		apart_ms = Max(wall_ms, their_ms) - Min(wall_ms, their_ms);

	if (theirs->wire_version != TG_WIRE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the cluster speaks protocol version %d, this node %d",
						theirs->wire_version, TG_WIRE_VERSION)));
	require_same("encoding", GetDatabaseEncodingName(), theirs->encoding);
	require_same("collation", own_collation(), theirs->collation);
	if (apart_ms > (uint64) tg_max_clock_drift_ms)
		ereport(ERROR,
				(errcode(ERRCODE_TG_CLOCK_DRIFT),
				 errmsg("the clocks of this node and of node %d are %llu ms apart",
						theirs->node, (unsigned long long) apart_ms),
				 errdetail("topgun.max_clock_drift allows %d ms.", tg_max_clock_drift_ms)));
}
