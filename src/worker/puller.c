/*-------------------------------------------------------------------------
 *
 * src/worker/puller.c
 *	  The worker that pulls from one peer.
 *
 * Any error ends it; what went wrong is left in topgun.stat_peer, and the
 * launcher starts it again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/pull.h"
#include "transport/resume.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/loop.h"
#include "worker/puller.h"

#define LOOK_MS				250 /* how often to look for tables out of step */
#define WAIT_MS				500 /* how long the peer holds an empty answer
								 * back */

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/*
 * Connect to the peer; what belongs to the link lives in the context.
 */
static void
open_link(TgNodeId peer, TgPull *pull, MemoryContext context)
{
	char		failpoint[NAMEDATALEN];
	TgMember   *member;
	MemoryContext old;

	snprintf(failpoint, sizeof(failpoint), "link-%d", peer);
	TG_FAILPOINT(failpoint);

	begin();
	member = tg_member_find(peer);
	if (member == NULL || !member->is_active)
	{
		tg_roster_unwant(TG_WORKER_PULLER, peer);
		proc_exit(0);
	}
	tg_peer_set_state(peer, TG_PEER_CONNECTING, NULL);
	old = MemoryContextSwitchTo(context);
	pull->link = tg_link_open(member->dsn, member->name);
	MemoryContextSwitchTo(old);
	tg_pull_start(pull, peer, pull->link, context);
	commit();
	tg_peer_set_state(peer, TG_PEER_STREAMING, NULL);
}

/*
 * See to the tables that are not in step, while nothing is under way.
 */
static void
mend_tables(TgPull *pull)
{
	static TimestampTz last_look = 0;
	TimestampTz now = GetCurrentTimestamp();
	bool		more = true;

	if (!TimestampDifferenceExceeds(last_look, now, LOOK_MS))
		return;
	last_look = now;

	begin();
	tg_resume_paused(pull->link);
	commit();
	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		begin();
		more = tg_copy_pending(pull->link, pull->peer);
		commit();
	}
}

static void
run_round(TgPull *pull)
{
	char		failpoint[NAMEDATALEN];

	snprintf(failpoint, sizeof(failpoint), "link-%d", pull->peer);
	TG_FAILPOINT(failpoint);
	TG_FAILPOINT("puller-round");

	mend_tables(pull);
	begin();
	tg_pull_send(pull, WAIT_MS);
	commit();
	if (tg_pull_receive(pull, WAIT_MS))
		tg_roster_wake(TG_WORKER_JANITOR);
	tg_roster_succeeded();
}

static TgPeerState
state_after(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_TG_CLOCK_DRIFT:
			return TG_PEER_CLOCK;
		case ERRCODE_TG_UNKNOWN_PEER:
		case ERRCODE_TG_NOT_A_NODE:
		case ERRCODE_TG_FENCED:
		case ERRCODE_TG_STALE_EPOCH:
			return TG_PEER_REFUSED;
		case ERRCODE_TG_JOURNAL_CUT:
			return TG_PEER_CUT;
		default:
			return TG_PEER_DOWN;
	}
}

/*
 * Report the error, leave it where people look for it, and go.
 */
static void
leave_after_error(TgNodeId peer, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	EmitErrorReport();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	tg_peer_set_state(peer, state_after(error->sqlerrcode), error->message);
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK)
		tg_roster_retry_at_once();
	proc_exit(1);
}

/*
 * Main function of a puller.
 */
void
topgun_puller_main(Datum arg)
{
	TgWorker	worker;
	TgPull		pull;
	MemoryContext link_context;
	MemoryContext round_context;

	tg_worker_start(arg, "topgun puller", &worker);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	link_context = AllocSetContextCreate(TopMemoryContext, "topgun link", ALLOCSET_DEFAULT_SIZES);
	round_context = AllocSetContextCreate(TopMemoryContext, "topgun round", ALLOCSET_DEFAULT_SIZES);

	PG_TRY();
	{
		open_link(worker.peer, &pull, link_context);
		while (tg_roster_is_wanted())
		{
			MemoryContextSwitchTo(round_context);
			run_round(&pull);
			MemoryContextReset(round_context);
			pgstat_report_stat(false);
			tg_worker_take_config();
		}
	}
	PG_CATCH();
	{
		leave_after_error(worker.peer, link_context);
	}
	PG_END_TRY();
	proc_exit(0);
}
