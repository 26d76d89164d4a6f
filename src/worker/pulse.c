/*-------------------------------------------------------------------------
 *
 * src/worker/pulse.c
 *	  The worker that sends heartbeats to all peers.
 *
 * It never waits for one peer, for a lock or for data.  It comes by often, so
 * that it notices when it did not run itself; then nobody else is to blame.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "clock/identity.h"
#include "clock/monotonic.h"
#include "cluster/failure.h"
#include "cluster/pulse.h"
#include "cluster/pulse_links.h"
#include "journal/cursor.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "transport/accepted.h"
#include "transport/member.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/loop.h"
#include "worker/pulse.h"

#define LOOKS			10		/* in a heartbeat interval */

typedef struct PulseWorker
{
	TgPulseLinks links;
	List	   *members;		/* in the context */
	MemoryContext context;		/* reset with each look at the members */
	int64		look_ms;		/* next look at the members */
} PulseWorker;

/*
 * The memory context of the caller, for commit().
 */
static MemoryContext
begin(void)
{
	MemoryContext caller = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	return caller;
}

static void
commit(MemoryContext caller)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	MemoryContextSwitchTo(caller);
}

static List *
copy_members(const List *members)
{
	List	   *copies = NIL;
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);
		TgMember   *copy = palloc(sizeof(TgMember));

		*copy = *member;
		copy->name = pstrdup(member->name);
		copy->dsn = pstrdup(member->dsn);
		copies = lappend(copies, copy);
	}
	return copies;
}

/*
 * Who has come back to the cluster may be another than we knew.
 */
static void
renew_accepted(const List *members)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active)
			tg_accepted_renew(member->node, member->since);
	}
}

/*
 * Stamps of peers come on many ways; the newest ones are in our vector.
 */
static void
observe_stamps(TgNodeId self)
{
	TgVector   *vector = tg_own_vector(self);

	for (int i = 0; i < vector->nentries; i++)
		if (vector->entries[i].node != self)
			tg_accepted_observe(vector->entries[i].node, vector->entries[i].stamp);
}

/*
 * Look who is a member.  If somebody has locked the table, who was one before
 * will do.
 */
static void
look_at_members(PulseWorker *worker, int64 now_ms)
{
	MemoryContext caller = begin();

	if (!tg_catalog_exists() || tg_node_id() == 0)
	{
		tg_roster_unwant(TG_WORKER_PULSE, 0);
		proc_exit(0);
	}
	if (ConditionalLockRelationOid(tg_catalog_oid(TG_CAT_NODE), AccessShareLock))
	{
		List	   *members = tg_members();
		MemoryContext old;

		tg_pulse_describe(&worker->links.own);
		renew_accepted(members);
		observe_stamps(worker->links.own.sender);
		MemoryContextReset(worker->context);
		old = MemoryContextSwitchTo(worker->context);
		worker->members = copy_members(members);
		MemoryContextSwitchTo(old);
	}
	commit(caller);
	tg_pulse_links_set(&worker->links, worker->members);
	tg_detector_watch(worker->members, worker->links.own.sender, now_ms);
	tg_failure_act(worker->members, &worker->links.own);
}

static void
tell(const PulseWorker *worker, const TgDetectorEvent *events, int nevents)
{
	MemoryContext caller;

	if (nevents == 0)
		return;
	caller = begin();
	for (int i = 0; i < nevents; i++)
		tg_pulse_tell(events[i].node, tg_pulse_links_name(&worker->links, events[i].node),
					  events[i].event);
	commit(caller);
}

static void
save_accepted(void)
{
	MemoryContext caller;

	if (!tg_accepted_must_save())
		return;
	caller = begin();
	tg_accepted_save();
	commit(caller);
}

/*
 * Come by once.
 */
static void
run_round(PulseWorker *worker, int look_ms)
{
	int64		now_ms = tg_monotonic_ms();
	TgDetectorEvent events[TG_MAX_PEERS];

	tg_detector_excuse(now_ms, look_ms);
	if (now_ms >= worker->look_ms)
	{
		worker->look_ms = now_ms + tg_heartbeat_interval_ms;
		look_at_members(worker, now_ms);
	}
	tell(worker, events, tg_pulse_links_run(&worker->links, now_ms, events));
	tell(worker, events, tg_detector_look(tg_monotonic_ms(), events));
	save_accepted();
	tg_failure_set_fences(worker->members, &worker->links.own);
}

/*
 * Main function of the pulse worker.
 */
void
topgun_pulse_main(Datum arg)
{
	TgWorker	place;
	PulseWorker *worker = MemoryContextAllocZero(TopMemoryContext, sizeof(PulseWorker));
	MemoryContext round_context;

	tg_worker_start(arg, "topgun pulse", &place);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	worker->context = AllocSetContextCreate(TopMemoryContext, "topgun members", ALLOCSET_SMALL_SIZES);
	round_context = AllocSetContextCreate(TopMemoryContext, "topgun round", ALLOCSET_DEFAULT_SIZES);

	while (tg_roster_is_wanted())
	{
		int			look_ms = Max(tg_heartbeat_interval_ms / LOOKS, 1);

		MemoryContextSwitchTo(round_context);
		run_round(worker, look_ms);
		(void) tg_pulse_links_wait(&worker->links, look_ms);
		MemoryContextReset(round_context);
		CHECK_FOR_INTERRUPTS();
		tg_worker_take_config();
		tg_roster_succeeded();
	}
	proc_exit(0);
}
