/*-------------------------------------------------------------------------
 *
 * src/api/rebuild.c
 *	  topgun.merkle_rebuild().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "api/tree.h"
#include "base/compat.h"
#include "bulk/rebuild.h"
#include "clock/identity.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "row/table.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(topgun_merkle_rebuild);

static int
get_workers(FunctionCallInfo fcinfo)
{
	int			workers;

	if (PG_ARGISNULL(1))
		return max_parallel_maintenance_workers;

	workers = PG_GETARG_INT32(1);
	if (workers < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of workers must not be negative"),
				 errhint("With zero the calling session does the work.")));
	return Min(workers, max_parallel_workers);
}

static void
require_owner(Oid relid)
{
	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!tg_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

/*
 * topgun.merkle_rebuild(rel, workers): derive the tree of a table from its
 * rows; the number of leaves that were wrong.
 */
Datum
topgun_merkle_rebuild(PG_FUNCTION_ARGS)
{
	int			workers;
	Relation	rel;
	int			differed;

	PreventCommandIfReadOnly("topgun.merkle_rebuild()");
	(void) tg_node_id_required();
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("table must not be null"),
				 errhint("Use topgun.merkle_rebuild('schema.table').")));
	workers = get_workers(fcinfo);

	require_owner(PG_GETARG_OID(0));
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	require_owner(PG_GETARG_OID(0));
	(void) tg_require_tree(rel);
	differed = tg_rebuild_tree(rel, workers);
	relation_close(rel, NoLock);
	PG_RETURN_INT32(differed);
}
