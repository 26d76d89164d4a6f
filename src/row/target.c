/*-------------------------------------------------------------------------
 *
 * src/row/target.c
 *	  A replicated table open for look-ups by key and for writes.
 *
 * A partitioned table routes by the key alone, which contains the partition
 * key, with the executor's own tuple routing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "executor/executor.h"
#include "row/stamp.h"
#include "row/target.h"
#include "storage/lmgr.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static EState *
create_estate(Relation rel)
{
	EState	   *estate = CreateExecutorState();
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(rel);
	rte->relkind = rel->rd_rel->relkind;
	rte->rellockmode = AccessShareLock;
	tg_init_range_table(estate, rte);
	estate->es_output_cid = GetCurrentCommandId(false);
	return estate;
}

static TgLeaf *
fill_leaf(TgTarget *target, TgLeaf *leaf, ResultRelInfo *rri)
{
	Relation	rel = rri->ri_RelationDesc;

	leaf->relid = RelationGetRelid(rel);
	leaf->rel = rel;
	leaf->table = tg_table_get(rel);
	leaf->index = index_open(leaf->table->key_index, AccessShareLock);
	leaf->scan = tg_index_beginscan(rel, leaf->index, SnapshotAny, leaf->table->key->ncolumns);
	leaf->rri = rri;
	leaf->found = table_slot_create(rel, NULL);
	leaf->walk = NULL;
	leaf->walk_scan = NULL;
	leaf->absent = NULL;
	leaf->row = rri == target->rri ? target->row :
		MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	return leaf;
}

static void
init_partitioned(TgTarget *target)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(TgLeaf),.hcxt = target->context};
	ModifyTable *plan = makeNode(ModifyTable);

	plan->operation = CMD_INSERT;
	plan->onConflictAction = ONCONFLICT_NOTHING;	/* so it opens indexes for
													 * speculation */
	target->routing_state = makeNode(ModifyTableState);
	target->routing_state->ps.plan = (Plan *) plan;
	target->routing_state->ps.state = target->estate;
	target->routing_state->operation = CMD_INSERT;
	target->routing_state->resultRelInfo = target->rri;
	target->routing_state->rootResultRelInfo = target->rri;
	target->routing = ExecSetupPartitionTupleRouting(target->estate, target->rel);
	target->leaves = hash_create("topgun leaves", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Prepare a replicated table, which the caller has locked and keeps open.
 * What is allocated goes with tg_target_close() or with the current context.
 */
TgTarget *
tg_target_open(Relation rel)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun target",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgTarget   *target = palloc0(sizeof(TgTarget));

	target->context = context;
	target->rel = rel;
	target->table = tg_table_get(rel);
	target->estate = create_estate(rel);
	target->rri = makeNode(ResultRelInfo);
	InitResultRelInfo(target->rri, rel, 1, NULL, 0);
	target->estate->es_opened_result_relations =
		lappend(target->estate->es_opened_result_relations, target->rri);
	target->row = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		init_partitioned(target);
	else
	{
		ExecOpenIndices(target->rri, true);
		target->only_leaf = fill_leaf(target, palloc0(sizeof(TgLeaf)), target->rri);
	}
	MemoryContextSwitchTo(old);
	return target;
}

static void
close_leaf(TgTarget *target, TgLeaf *leaf)
{
	ExecDropSingleTupleTableSlot(leaf->found);
	if (leaf->row != target->row)
		ExecDropSingleTupleTableSlot(leaf->row);
	if (leaf->walk_scan != NULL)
		index_endscan(leaf->walk_scan);
	index_endscan(leaf->scan);
	index_close(leaf->index, NoLock);
}

/*
 * Release all but the relation itself, and its locks.
 */
void
tg_target_close(TgTarget *target)
{
	if (target->only_leaf != NULL)
		close_leaf(target, target->only_leaf);
	else
	{
		HASH_SEQ_STATUS seq;
		TgLeaf	   *leaf;

		hash_seq_init(&seq, target->leaves);
		while ((leaf = hash_seq_search(&seq)) != NULL)
			close_leaf(target, leaf);
		ExecCleanupTupleRouting(target->routing_state, target->routing);
	}
	ExecCloseResultRelations(target->estate);	/* also what triggers opened */
	ExecDropSingleTupleTableSlot(target->row);
	ExecResetTupleTable(target->estate->es_tupleTable, false);
	FreeExecutorState(target->estate);
	MemoryContextDelete(target->context);
}

/*
 * Fill target->row with the columns of a key; all others are NULL.
 */
void
tg_target_set_key(TgTarget *target, TgBytes key)
{
	TupleTableSlot *slot = target->row;
	TgKeySpec  *spec = target->table->key;
	Datum		values[INDEX_MAX_KEYS];

	tg_key_read(spec, key, values);
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < spec->ncolumns; i++)
	{
		int			attno = spec->columns[i].attno;

		slot->tts_values[attno - 1] = values[i];
		slot->tts_isnull[attno - 1] = false;
	}
	ExecStoreVirtualTuple(slot);
}

static TgLeaf *
route_to_partition(TgTarget *target)
{
	ResultRelInfo *rri = ExecFindPartition(target->routing_state, target->rri, target->routing,
										   target->row, target->estate);
	TupleConversionMap *map = tg_root_to_child_map(rri, target->estate);
	Oid			relid = RelationGetRelid(rri->ri_RelationDesc);
	bool		found;
	TgLeaf	   *leaf = hash_search(target->leaves, &relid, HASH_ENTER, &found);

	if (!found)
	{
		MemoryContext old = MemoryContextSwitchTo(target->context);

		fill_leaf(target, leaf, rri);
		MemoryContextSwitchTo(old);
	}
	if (map != NULL)
		execute_attr_map_slot(map->attrMap, target->row, leaf->row);
	else
		ExecCopySlot(leaf->row, target->row);
	return leaf;
}

/*
 * The leaf where target->row belongs; leaf->row is the row with its columns.
 * Errors out with ERRCODE_CHECK_VIOLATION if no partition takes it.
 */
TgLeaf *
tg_target_route(TgTarget *target)
{
	if (target->only_leaf != NULL)
		return target->only_leaf;
	return route_to_partition(target);
}

/*
 * The same, but NULL if no partition takes the row.  The executor's routing
 * can only error out then; it does so before it has touched anything, which
 * makes this one error safe to catch.
 */
TgLeaf *
tg_target_try_route(TgTarget *target)
{
	MemoryContext old = CurrentMemoryContext;
	TgLeaf	   *volatile leaf = NULL;

	if (target->only_leaf != NULL)
		return target->only_leaf;

	PG_TRY();
	{
		leaf = route_to_partition(target);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_CHECK_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(old);
		FlushErrorState();
	}
	PG_END_TRY();
	return leaf;
}

static int
build_scan_keys(TgLeaf *leaf, ScanKey keys)
{
	TgKeySpec  *spec = leaf->table->key;

	for (int i = 0; i < spec->ncolumns; i++)
	{
		TgKeyColumn *column = &spec->columns[i];
		bool		isnull;
		Datum		value = slot_getattr(leaf->row, column->attno, &isnull);

		if (isnull)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("null value in key column \"%s\" of table \"%s\"",
							NameStr(TupleDescAttr(RelationGetDescr(leaf->rel), column->attno - 1)->attname),
							RelationGetRelationName(leaf->rel))));
		ScanKeyEntryInitializeWithInfo(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
									   column->collation, &column->equal, value);
	}
	return spec->ncolumns;
}

/*
 * Look the key of leaf->row up; the row goes into leaf->found.  With a dirty
 * snapshot the row may be one that a running transaction has just written:
 * the snapshot's xmin and xmax say so.  What the scan allocates, it keeps for
 * the next look-up; but no page of the index stays pinned, since the caller
 * may have to wait and VACUUM would wait for him.
 */
bool
tg_leaf_find(TgLeaf *leaf, Snapshot snapshot)
{
	ScanKeyData keys[INDEX_MAX_KEYS];
	int			nkeys = build_scan_keys(leaf, keys);
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(leaf->scan));
	bool		found;

	leaf->scan->xs_snapshot = snapshot;
	index_rescan(leaf->scan, keys, nkeys, NULL, 0);
	found = index_getnext_slot(leaf->scan, ForwardScanDirection, leaf->found);
	index_rescan(leaf->scan, NULL, nkeys, NULL, 0); /* drops the pins */
	MemoryContextSwitchTo(old);
	return found;
}
