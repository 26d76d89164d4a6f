/*-------------------------------------------------------------------------
 *
 * src/worker/janitor.c
 *	  The worker that keeps a node in order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/catalog.h"
#include "clock/identity.h"
#include "cluster/address_book.h"
#include "cluster/collection.h"
#include "cluster/cut.h"
#include "cluster/tables.h"
#include "journal/mark.h"
#include "merge/conflict_log.h"
#include "merge/quarantine.h"
#include "merge/retry.h"
#include "merge/review.h"
#include "row/tombstone.h"
#include "transport/incarnation.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/resume.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "worker/janitor.h"
#include "worker/loop.h"

#define LOCK_TIMEOUT	"1s"	/* whoever holds a lock for long, holds up one
								 * task, not all */

/*
 * Leave a database that is not a node, or not any more, with all workers.
 */
static bool
require_node(void)
{
	if (!tg_catalog_exists() || tg_node_id() == 0)
		tg_roster_unwant_all();
	return false;
}

/*
 * Have a pulse, a folder and a repairer, a puller for each active peer, and none for
 * others.
 */
static bool
keep_workers(void)
{
	TgNodeId	self = tg_node_id();
	List	   *members = tg_members();
	static TgWorker workers[TG_MAX_WORKERS];
	int			nworkers = tg_roster_list(workers);
	ListCell   *lc;

	tg_roster_want(TG_WORKER_PULSE, 0);
	tg_roster_want(TG_WORKER_FOLDER, 0);
	tg_roster_want(TG_WORKER_REPAIRER, 0);
	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active && member->node != self)
			tg_roster_want(TG_WORKER_PULLER, member->node);
	}
	for (int i = 0; i < nworkers; i++)
	{
		TgMember   *member;

		if (workers[i].kind != TG_WORKER_PULLER)
			continue;
		member = tg_member_find(workers[i].peer);
		if (member == NULL || !member->is_active)
		{
			tg_roster_unwant(TG_WORKER_PULLER, workers[i].peer);
			tg_peer_forget(workers[i].peer);
		}
	}
	return false;
}

/*
 * Have a copier while a table is to be copied.  It leaves by itself.
 */
static bool
keep_copier(void)
{
	if (tg_node_id() != 0 && tg_copy_is_wanted())
		tg_roster_want(TG_WORKER_COPIER, 0);
	return false;
}

static bool
learn_state(void)
{
	tg_tombstone_learn();
	tg_quarantine_learn();
	return false;
}

static bool
retry_quarantined(void)
{
	(void) tg_retry_due();
	return false;
}

/*
 * Once every peer has answered fully, nothing of ours is left with them only.
 */
static bool
lift_cap(void)
{
	TgNodeId	self = tg_node_id();
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);
		TgPeer		peer;

		if (!member->is_active || member->node == self)
			continue;
		if (!tg_peer_get(member->node, &peer) || !peer.gave_back)
			return false;
	}
	tg_mark_lift_cap();
	return false;
}

/*
 * Begin a life of the node, unless it has begun since the server started.  No
 * other worker runs yet, so nobody has spoken to a peer.
 */
static void
begin_life(void)
{
	TgIncarnation incarnation = tg_incarnation_current();

	if (incarnation.counter != 0)
		return;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (tg_catalog_exists() && tg_node_id() != 0)
		incarnation = tg_incarnation_make();
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (incarnation.counter != 0)
		tg_incarnation_publish(incarnation);
}

/*
 * Main function of the janitor.
 */
void
topgun_janitor_main(Datum arg)
{
	static TgTask tasks[] = {
		{.name = "require node",.interval_ms = 1000,.run = require_node},
		{.name = "learn state",.interval_ms = 60 * 1000,.run = learn_state},
		{.name = "keep workers",.interval_ms = 1000,.run = keep_workers},
		{.name = "keep the address book",.interval_ms = 1000,.run = tg_book_keep},
		{.name = "reconcile tables",.interval_ms = 1000,.run = tg_tables_reconcile},
		{.name = "keep copier",.interval_ms = 200,.run = keep_copier},
		{.name = "lift cap",.interval_ms = 1000,.run = lift_cap},
		{.name = "review deletions",.interval_ms = 200,.run = tg_review_deletions},
		{.name = "retry quarantined rows",.interval_ms = 2000,.run = retry_quarantined},
		{.name = "turn conflicts",.interval_ms = 1000,.run = tg_conflict_log_turn},
		{.name = "rotate journal",.interval_ms = 1000,.run = tg_cut_journal},
		{.name = "collect tombstones",.interval_ms = 1000,.run = tg_collect_tombstones},
	};
	TgWorker	worker;

	tg_worker_start(arg, "topgun janitor", &worker);
	begin_life();
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION);
	tg_worker_loop(tasks, lengthof(tasks));
}
