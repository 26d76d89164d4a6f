/*-------------------------------------------------------------------------
 *
 * src/bulk/rebuild.c
 *	  Deriving the tree of a table anew from its rows.
 *
 * Writers go on meanwhile.  The order of steps:
 *
 *	1. lock the table, so that its rows stay where they are: no TRUNCATE, no
 *	   rewrite, no other partitions;
 *	2. take a horizon H and hold on to the journal after it;
 *	3. take a snapshot S.  It sees all that is up to H, and perhaps more; L is
 *	   the last position of what it sees;
 *	4. scan the rows that S sees;
 *	5. take the fold lock and fold up to a position F >= L.
 *
 * Whatever S sees is in the scan, and the fold will not come across it again.
 * What lies in (H, F] and S does not see is added now, what lies beyond F will
 * be added by the folds to come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/failpoint.h"
#include "base/wait.h"
#include "bulk/rebuild.h"
#include "bulk/scan.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "clock/identity.h"
#include "digest/tree_store.h"
#include "journal/append.h"
#include "journal/fold.h"
#include "journal/inflight.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "row/table.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#define HORIZON_PAUSE_MS	2

/*
 * Keep the partitions of a partitioned table as they are: none comes while
 * this lock is held, and none goes while a partition is in use.
 */
static void
lock_partitions(Oid relid)
{
	ListCell   *cell;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return;
	LockRelationOid(relid, ShareUpdateExclusiveLock);
	foreach(cell, find_inheritance_children(relid, AccessShareLock))
		lock_partitions(lfirst_oid(cell));
}

/*
 * The journal after a position is there until the end of the transaction.
 */
static void
hold_journal(TgPosition after)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	tg_journal_close(tg_journal_open(tg_cursor_after(after), after, snapshot));
	UnregisterSnapshot(snapshot);
}

/*
 * Fold until all trees are at a position not before this one; where they are
 * then.  Those who committed there may be about to say so: the horizon follows
 * in a moment.
 */
static TgPosition
fold_up_to(TgPosition position)
{
	for (;;)
	{
		bool		more = tg_fold();
		TgPosition	folded;

		CommandCounterIncrement();
		folded = tg_fold_position_now();
		if (folded >= position)
			return folded;
		if (more)
			continue;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 HORIZON_PAUSE_MS, tg_wait_event(TG_WAIT_PAUSE));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Rows that this transaction has written are in its snapshots, but not yet in
 * the journal.
 */
static void
require_nothing_written(Relation rel)
{
	if (!tg_journal_has_changes())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("cannot rebuild the tree of \"%s\" in a transaction that has written to replicated tables",
					RelationGetRelationName(rel)),
			 errhint("Commit first.")));
}

/*
 * Replace the stored tree of a replicated table with one that is derived from
 * its rows by up to nworkers parallel workers, or by this process if that is
 * zero; the number of leaves that differed.  The caller holds the table open
 * with ACCESS SHARE, and has written nothing to replicated tables.  From here
 * to the end of the transaction nobody else folds.
 */
int
tg_rebuild_tree(Relation rel, int nworkers)
{
	TgTableId	table = tg_table_id(rel);
	TgTree	   *tree = tg_tree_create();
	TgPosition	horizon;
	TgPosition	seen;
	TgPosition	folded;
	Snapshot	snapshot;
	int			differed;

	Assert(table != 0);
	require_nothing_written(rel);
	lock_partitions(RelationGetRelid(rel));

	horizon = tg_inflight_horizon(tg_node_id_required());
	TG_FAILPOINT("rebuild-has-horizon");
	hold_journal(horizon);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	seen = tg_journal_last_position();
	TG_FAILPOINT("rebuild-has-snapshot");

	tg_scan_tree(rel, snapshot, TG_SCAN_STAMPS, nworkers, tree);
	TG_FAILPOINT("rebuild-has-scanned");

	(void) tg_fold_lock(true);
	TG_FAILPOINT("rebuild-has-lock");
	folded = fold_up_to(seen);
	if (folded > horizon)
		tg_fold_missed(table, horizon, folded, snapshot, tree);
	UnregisterSnapshot(snapshot);

	differed = tg_tree_replace(table, tree);
	tg_tree_free(tree);
	return differed;
}
