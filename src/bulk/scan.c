/*-------------------------------------------------------------------------
 *
 * src/bulk/scan.c
 *	  The tree of a table, computed from its rows by parallel workers.
 *
 * The workers are those of PostgreSQL: they share the leader's transaction,
 * snapshot and locks, and an error or the end of one of them is an error of
 * the leader.  Each takes blocks of the table from a shared scan and adds its
 * rows to leaves of its own in shared memory; the leader sums these up.
 *
 * The leader reads rows only if it has no workers, so that their number is
 * the number of processes that are busy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/failpoint.h"
#include "bulk/row_scan.h"
#include "bulk/scan.h"
#include "catalog/pg_proc.h"
#include "digest/row_digest.h"
#include "pgstat.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

extern PGDLLEXPORT void topgun_scan_worker(dsm_segment *segment, shm_toc *toc);

/* What lies in the table of contents. */
#define KEY_TASK		UINT64CONST(0x7467000000000001)
#define KEY_GROUPS		UINT64CONST(0x7467000000000002)
#define KEY_LEAF		UINT64CONST(0x7467000100000000) /* plus its number */

#define GROUPS_BYTES	(TG_TREE_GROUPS * sizeof(TgTreeGroup))	/* of one worker */

typedef struct ScanTask
{
	TgScanKind	kind;
	int			nleaves;
	Oid			leaves[FLEXIBLE_ARRAY_MEMBER];
} ScanTask;

static void
add_rows(Relation rel, TableScanDesc scan, TgScanKind kind, TgTree *tree)
{
	TgRowScan	rows;

	tg_row_scan_begin(&rows, rel, scan);
	while (tg_row_scan_next(&rows))
		tg_tree_add_row(tree, tg_leaf_of_key(tg_bytes_of_buf(&rows.key)),
						tg_row_scan_digest(&rows, kind));
	tg_row_scan_end(&rows);
}

static void
scan_alone(List *leaves, Snapshot snapshot, TgScanKind kind, TgTree *tree)
{
	ListCell   *cell;

	foreach(cell, leaves)
	{
		Relation	rel = table_open(lfirst_oid(cell), NoLock);

		add_rows(rel, table_beginscan(rel, snapshot, 0, NULL), kind, tree);
		table_close(rel, NoLock);
	}
}

/*
 * A tree whose groups lie in somebody else's memory.
 */
static void
borrow_groups(TgTree *tree, TgTreeGroup *groups)
{
	memset(tree, 0, sizeof(*tree));
	for (int i = 0; i < TG_TREE_GROUPS; i++)
		tree->groups[i] = &groups[i];
}

/*
 * Main function of a worker.
 */
void
topgun_scan_worker(dsm_segment *segment, shm_toc *toc)
{
	ScanTask   *task = shm_toc_lookup(toc, KEY_TASK, false);
	TgTreeGroup *groups = shm_toc_lookup(toc, KEY_GROUPS, false);
	TgTree		tree;

	borrow_groups(&tree, groups + (Size) ParallelWorkerNumber * TG_TREE_GROUPS);
	pgstat_report_activity(STATE_RUNNING, "topgun: scan of a table");
	TG_FAILPOINT("in-scan-worker");
	for (int i = 0; i < task->nleaves; i++)
	{
		Relation	rel = table_open(task->leaves[i], AccessShareLock);
		ParallelTableScanDesc scan = shm_toc_lookup(toc, KEY_LEAF + i, false);

		add_rows(rel, table_beginscan_parallel(rel, scan), task->kind, &tree);
		table_close(rel, AccessShareLock);
	}
}

static void
estimate_leaf(ParallelContext *context, Oid relid, Snapshot snapshot)
{
	Relation	rel = table_open(relid, NoLock);

	shm_toc_estimate_chunk(&context->estimator, table_parallelscan_estimate(rel, snapshot));
	shm_toc_estimate_keys(&context->estimator, 1);
	table_close(rel, NoLock);
}

static Size
task_bytes(List *leaves)
{
	return offsetof(ScanTask, leaves) + list_length(leaves) * sizeof(Oid);
}

static void
estimate(ParallelContext *context, List *leaves, Snapshot snapshot)
{
	ListCell   *cell;

	shm_toc_estimate_chunk(&context->estimator, task_bytes(leaves));
	shm_toc_estimate_chunk(&context->estimator, mul_size(GROUPS_BYTES, context->nworkers));
	shm_toc_estimate_keys(&context->estimator, 2);
	foreach(cell, leaves)
		estimate_leaf(context, lfirst_oid(cell), snapshot);
}

static void
share_leaf(ParallelContext *context, int number, Oid relid, Snapshot snapshot)
{
	Relation	rel = table_open(relid, NoLock);
	ParallelTableScanDesc scan = shm_toc_allocate(context->toc,
												  table_parallelscan_estimate(rel, snapshot));

	table_parallelscan_initialize(rel, scan, snapshot);
	shm_toc_insert(context->toc, KEY_LEAF + number, scan);
	table_close(rel, NoLock);
}

/*
 * Put into shared memory what the workers need; the groups that they fill.
 */
static TgTreeGroup *
share_task(ParallelContext *context, List *leaves, Snapshot snapshot, TgScanKind kind)
{
	ScanTask   *task = shm_toc_allocate(context->toc, task_bytes(leaves));
	Size		bytes = mul_size(GROUPS_BYTES, context->nworkers);
	TgTreeGroup *groups = shm_toc_allocate(context->toc, bytes);
	ListCell   *cell;

	task->kind = kind;
	task->nleaves = 0;
	foreach(cell, leaves)
	{
		share_leaf(context, task->nleaves, lfirst_oid(cell), snapshot);
		task->leaves[task->nleaves++] = lfirst_oid(cell);
	}
	memset(groups, 0, bytes);
	shm_toc_insert(context->toc, KEY_TASK, task);
	shm_toc_insert(context->toc, KEY_GROUPS, groups);
	return groups;
}

static void
sum_up(TgTree *tree, TgTreeGroup *groups, int nworkers)
{
	for (int i = 0; i < nworkers; i++)
	{
		TgTree		part;

		borrow_groups(&part, groups + (Size) i * TG_TREE_GROUPS);
		tg_tree_add(tree, &part);
	}
}

/*
 * Have workers scan the table; false if there are none to be had.
 */
static bool
try_scan_parallel(List *leaves, Snapshot snapshot, TgScanKind kind, int nworkers, TgTree *tree)
{
	ParallelContext *context;
	TgTreeGroup *groups;
	int			launched;

	EnterParallelMode();
	context = CreateParallelContext("topgun", "topgun_scan_worker", nworkers);
	estimate(context, leaves, snapshot);

	/* the workers take it over, and with it what it protects from vacuum */
	PushActiveSnapshot(snapshot);
	InitializeParallelDSM(context);
	PopActiveSnapshot();

	groups = share_task(context, leaves, snapshot, kind);
	LaunchParallelWorkers(context);
	launched = context->nworkers_launched;
	if (launched > 0)
	{
		WaitForParallelWorkersToFinish(context);
		sum_up(tree, groups, launched);
	}
	DestroyParallelContext(context);
	ExitParallelMode();
	return launched > 0;
}

/*
 * May workers call what makes bytes of the values that are read?
 */
static bool
is_parallel_safe(Relation rel, TgScanKind kind)
{
	TgTable    *table = tg_table_get(rel);

	for (int i = 0; i < table->key->ncolumns; i++)
		if (func_parallel(table->key->columns[i].value.send.fn_oid) != PROPARALLEL_SAFE)
			return false;
	for (int i = 0; kind == TG_SCAN_CONTENTS && i < table->ncolumns; i++)
		if (func_parallel(table->columns[i].value.send.fn_oid) != PROPARALLEL_SAFE)
			return false;
	return true;
}

/*
 * Add the rows of a table, those of all its partitions if it is partitioned,
 * as the snapshot sees them, to a tree.  Up to nworkers parallel workers do
 * it; this process does it alone if it is zero, if no worker can be had, or if
 * the types of the columns do not allow them.  The caller holds the table
 * locked, and the snapshot registered.  An error in a worker is one here.
 */
void
tg_scan_tree(Relation rel, Snapshot snapshot, TgScanKind kind, int nworkers, TgTree *tree)
{
	List	   *leaves = tg_scan_leaves(RelationGetRelid(rel));

	if (leaves == NIL)
		return;
	if (nworkers == 0 || !is_parallel_safe(rel, kind) ||
		!try_scan_parallel(leaves, snapshot, kind, nworkers, tree))
		scan_alone(leaves, snapshot, kind, tree);
	list_free(leaves);
}
