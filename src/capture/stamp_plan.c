/*-------------------------------------------------------------------------
 *
 * src/capture/stamp_plan.c
 *	  A fresh stamp for every row that a plan writes.
 *
 * Before a query is planned, each INSERT, UPDATE, ON CONFLICT DO UPDATE and
 * MERGE action on a replicated table gets the assignment
 *		topgun_stamp = topgun.current_stamp()
 * in place of whatever the query assigns.  The planner may scribble on its
 * query anyway, so this is done in place.  A query that writes nothing is told
 * by two fields; a table that is not replicated, by its relation cache entry.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/function.h"
#include "capture/stamp_plan.h"
#include "nodes/makefuncs.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
#include "row/table.h"
#include "utils/rel.h"

/* The column to be assigned, and its type. */
typedef struct StampTarget
{
	AttrNumber	attno;			/* InvalidAttrNumber: not replicated */
	Oid			type;
} StampTarget;

static planner_hook_type prev_planner_hook = NULL;

static StampTarget
find_stamp(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	StampTarget target = {InvalidAttrNumber, InvalidOid};

	if (tg_table_id(rel) == 0)
		return target;

	/* it was added last, most likely */
	for (int i = desc->natts - 1; i >= 0; i--)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), TG_STAMP_COLUMN) != 0)
			continue;
		tg_require_stamp_type(rel, att->atttypid);
		target.attno = att->attnum;
		target.type = att->atttypid;
		break;
	}
	return target;
}

static Expr *
call_current_stamp(Oid type)
{
	Oid			function = tg_function_oid(TG_FN_CURRENT_STAMP);

	if (!OidIsValid(function))
		elog(ERROR, "function topgun.current_stamp() does not exist");
	return (Expr *) makeFuncExpr(function, type, NIL, InvalidOid, InvalidOid,
								 COERCE_EXPLICIT_CALL);
}

/*
 * Assign the stamp in a target list whose result numbers are those of the
 * table's columns.  The rewriter leaves such a list sorted, and INSERT counts
 * on it; junk comes last, numbered beyond the columns.
 */
static List *
assign_stamp(List *targets, StampTarget stamp)
{
	Expr	   *value = call_current_stamp(stamp.type);
	int			place = 0;
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (entry->resjunk || entry->resno > stamp.attno)
			break;
		if (entry->resno == stamp.attno)
		{
			entry->expr = value;
			return targets;
		}
		place++;
	}
	return list_insert_nth(targets, place,
						   makeTargetEntry(value, stamp.attno, pstrdup(TG_STAMP_COLUMN), false));
}

static void
stamp_merge(Query *query, StampTarget stamp)
{
	ListCell   *cell;

	foreach(cell, query->mergeActionList)
	{
		MergeAction *action = lfirst_node(MergeAction, cell);

		if (action->commandType == CMD_INSERT || action->commandType == CMD_UPDATE)
			action->targetList = assign_stamp(action->targetList, stamp);
	}
}

static void
stamp_target(Query *query)
{
	RangeTblEntry *rte = rt_fetch(query->resultRelation, query->rtable);
	Relation	rel;
	StampTarget stamp;

	if (rte->rtekind != RTE_RELATION)
		return;

	/* parser, rewriter or plan cache have locked it */
	rel = relation_open(rte->relid, NoLock);
	stamp = find_stamp(rel);
	relation_close(rel, NoLock);
	if (stamp.attno == InvalidAttrNumber)
		return;

	if (query->commandType == CMD_MERGE)
		stamp_merge(query, stamp);
	else
		query->targetList = assign_stamp(query->targetList, stamp);
	if (query->onConflict != NULL && query->onConflict->action == ONCONFLICT_UPDATE)
		query->onConflict->onConflictSet = assign_stamp(query->onConflict->onConflictSet, stamp);
}

/*
 * Stamp what a query writes, itself or in its WITH queries: SQL allows writing
 * ones at the top level only, so no other subquery can have any.
 */
static void
stamp_query(Query *query)
{
	ListCell   *cell;

	if (query->commandType == CMD_INSERT || query->commandType == CMD_UPDATE ||
		query->commandType == CMD_MERGE)
		stamp_target(query);

	if (!query->hasModifyingCTE)
		return;
	foreach(cell, query->cteList)
	{
		CommonTableExpr *cte = lfirst_node(CommonTableExpr, cell);

		if (IsA(cte->ctequery, Query))
			stamp_query((Query *) cte->ctequery);
	}
}

static PlannedStmt *
plan(Query *parse, const char *query_string, int cursorOptions, ParamListInfo boundParams)
{
	stamp_query(parse);

	if (prev_planner_hook)
		return prev_planner_hook(parse, query_string, cursorOptions, boundParams);
	return standard_planner(parse, query_string, cursorOptions, boundParams);
}

/*
 * Install the hook.  Call once, from _PG_init().
 */
void
tg_stamp_plan_install(void)
{
	prev_planner_hook = planner_hook;
	planner_hook = plan;
}
