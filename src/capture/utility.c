/*-------------------------------------------------------------------------
 *
 * src/capture/utility.c
 *	  Utility statements that know nothing of stamps.
 *
 * COPY of a replicated table without a column list means the columns that the
 * user has made.  A new partition of a replicated table is one, too: it gets
 * what it does not inherit, and the rows it brings along are announced.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "capture/announce.h"
#include "capture/attach.h"
#include "capture/utility.h"
#include "catalog/namespace.h"
#include "row/table.h"
#include "tcop/utility.h"
#include "utils/rel.h"

static ProcessUtility_hook_type prev_process_utility = NULL;

static List *
columns_without_stamp(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *names = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || att->attgenerated ||
			strcmp(NameStr(att->attname), TG_STAMP_COLUMN) == 0)
			continue;
		names = lappend(names, makeString(pstrdup(NameStr(att->attname))));
	}
	return names;
}

/*
 * The column list that COPY gets; NIL if it stays as it is.
 */
static List *
column_list_for(CopyStmt *stmt)
{
	LOCKMODE	lockmode = stmt->is_from ? RowExclusiveLock : AccessShareLock;
	Oid			relid;
	Relation	rel;
	List	   *names = NIL;

	if (stmt->relation == NULL || stmt->attlist != NIL)
		return NIL;

	/* as COPY itself will do in a moment; it reports what is wrong */
	relid = RangeVarGetRelid(stmt->relation, lockmode, true);
	if (!OidIsValid(relid))
		return NIL;
	rel = relation_open(relid, NoLock);
	if (tg_table_id(rel) != 0)
		names = columns_without_stamp(rel);
	relation_close(rel, NoLock);
	return names;
}

static PlannedStmt *
with_column_list(PlannedStmt *pstmt, List *names)
{
	PlannedStmt *copy = copyObject(pstmt);

	castNode(CopyStmt, copy->utilityStmt)->attlist = names;
	return copy;
}

/*
 * What a statement makes a partition; NULL if it does no such thing.
 */
static RangeVar *
attached_partition(AlterTableStmt *stmt)
{
	ListCell   *cell;

	if (stmt->objtype != OBJECT_TABLE)
		return NULL;			/* indexes have partitions, too */
	foreach(cell, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, cell);

		if (cmd->subtype == AT_AttachPartition)
			return castNode(PartitionCmd, cmd->def)->name;
	}
	return NULL;
}

static RangeVar *
new_partition(Node *stmt)
{
	if (IsA(stmt, AlterTableStmt))
		return attached_partition((AlterTableStmt *) stmt);
	if (IsA(stmt, CreateStmt) && ((CreateStmt *) stmt)->partbound != NULL)
		return ((CreateStmt *) stmt)->relation;
	return NULL;
}

static void
before_attach(AlterTableStmt *stmt, RangeVar *name)
{
	Oid			root = RangeVarGetRelid(stmt->relation, NoLock, true);
	Oid			partition = RangeVarGetRelid(name, NoLock, true);

	if (OidIsValid(root) && OidIsValid(partition))
		tg_partition_prepare(root, partition);
}

static void
after_attach(RangeVar *name, bool announce)
{
	Oid			partition = RangeVarGetRelid(name, NoLock, true);
	Relation	rel;
	bool		is_replicated;

	if (!OidIsValid(partition))
		return;
	rel = relation_open(partition, AccessShareLock);
	is_replicated = tg_table_id(rel) != 0;
	relation_close(rel, AccessShareLock);
	if (!is_replicated)
		return;

	tg_partition_attach(partition);
	if (announce)
		tg_partition_announce(partition);
}

static void
process_utility(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	RangeVar   *partition = new_partition(pstmt->utilityStmt);
	bool		is_alter = IsA(pstmt->utilityStmt, AlterTableStmt);

	if (IsA(pstmt->utilityStmt, CopyStmt))
	{
		List	   *names = column_list_for((CopyStmt *) pstmt->utilityStmt);

		if (names != NIL)
			pstmt = with_column_list(pstmt, names);
	}
	if (partition != NULL && is_alter)
		before_attach((AlterTableStmt *) pstmt->utilityStmt, partition);

	if (prev_process_utility)
		prev_process_utility(pstmt, query_string, read_only_tree, context, params,
							 environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context, params,
								environment, dest, completion);

	/* the statement, if it was another, may have freed itself */
	if (partition != NULL)
		after_attach(partition, is_alter);
}

/*
 * Install the hook.  Call once, from _PG_init().
 */
void
tg_utility_install(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
