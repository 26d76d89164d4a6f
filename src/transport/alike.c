/*-------------------------------------------------------------------------
 *
 * src/transport/alike.c
 *	  Tables that two nodes can compare.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/error.h"
#include "row/table.h"
#include "transport/alike.h"
#include "transport/state.h"
#include "utils/rel.h"

static void
refuse(TgTableId table, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table %d cannot be compared", table),
			 errdetail_internal("%s", detail),
			 errhint("See topgun.stat_table on each node.")));
}

/*
 * Open a table that is replicated here, with ACCESS SHARE.  Errors out if it
 * is not, or if it is paused.
 */
Relation
tg_open_comparable(TgTableId table)
{
	TgTableState state;
	Relation	rel = NULL;

	if (tg_table_state_get(table, &state) && OidIsValid(state.relid))
		rel = try_relation_open(state.relid, AccessShareLock);
	if (rel == NULL || tg_table_id(rel) != table)
		refuse(table, "It is not replicated on this node.");
	if (state.status == TG_TABLE_PAUSED || state.status == TG_TABLE_MISSING)
		refuse(table, state.reason != NULL ? state.reason : "It is paused on this node.");
	return rel;
}

/*
 * Errors out unless the table looks the same at the peer.
 */
void
tg_require_alike(Relation rel, uint64 fingerprint, TgNodeId peer)
{
	if (tg_table_get(rel)->fingerprint == fingerprint)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TG_SCHEMA_DIFFERS),
			 errmsg("table \"%s\" looks different on node %d", RelationGetRelationName(rel), peer),
			 errdetail("Here: %s", tg_table_get(rel)->description)));
}
