/*-------------------------------------------------------------------------
 *
 * src/api/tree.c
 *	  SQL functions that look at trees.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xlog.h"
#include "api/asker.h"
#include "api/tree.h"
#include "catalog/partition.h"
#include "clock/identity.h"
#include "cluster/converged.h"
#include "digest/tree_store.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "row/table.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "worker/roster.h"

PG_FUNCTION_INFO_V1(topgun_merkle_root);
PG_FUNCTION_INFO_V1(topgun_tree_roots);
PG_FUNCTION_INFO_V1(topgun_converged);

/*
 * The id of a table that has a tree.  Errors out if it is not replicated, or a
 * partition: only whole tables have trees.
 */
TgTableId
tg_require_tree(Relation rel)
{
	TgTableId	id = tg_table_id(rel);

	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not replicated", RelationGetRelationName(rel)),
				 errhint("See topgun.stat_table for the tables that are.")));
	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is a partition and has no tree of its own",
						RelationGetRelationName(rel)),
				 errhint("Name the partitioned table \"%s\".",
						 get_rel_name(llast_oid(get_partition_ancestors(RelationGetRelid(rel)))))));
	return id;
}

static TgTableId
id_of(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	TgTableId	id;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	id = tg_require_tree(rel);
	relation_close(rel, NoLock);
	return id;
}

/*
 * topgun.merkle_root(rel): the stored root of a table's tree.
 */
Datum
topgun_merkle_root(PG_FUNCTION_ARGS)
{
	TgTableId	id = id_of(PG_GETARG_OID(0));
	TgTreeHead	head;

	tg_tree_load_head(id, GetActiveSnapshot(), &head);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%016llx", (unsigned long long) head.root)));
}

/*
 * topgun_internal.tree_roots(asker): the roots of all trees as of now, one line
 * a table, for a member that compares; or tree_roots() for this node.
 */
Datum
topgun_tree_roots(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("answering a peer");
	if (PG_NARGS() > 0)
		(void) tg_asker_require(PG_GETARG_BYTEA_PP(0));
	PG_RETURN_TEXT_P(cstring_to_text(tg_tree_roots_text()));
}

/*
 * topgun.converged(rel): have all active members the same root of this table,
 * or of all if it is null?
 */
Datum
topgun_converged(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.converged()");
	(void) tg_node_id_required();
	tg_roster_wake(TG_WORKER_FOLDER);
	PG_RETURN_BOOL(tg_converged(PG_ARGISNULL(0) ? 0 : id_of(PG_GETARG_OID(0))));
}
