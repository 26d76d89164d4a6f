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
#include "cluster/view_vote.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/pull.h"
#include "transport/resume.h"
#include "transport/return.h"
#include "transport/view_store.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/loop.h"
#include "worker/puller.h"

#define RESUME_MS			1000	/* how often to look for paused tables */
#define WAIT_MS				500 /* how long the peer holds an empty answer
								 * back */

typedef struct Puller
{
	TgPull		pull;
	TimestampTz last_resume;	/* look at paused ones */
} Puller;

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
	MemoryContextSwitchTo(caller);
}

/*
 * The member we pull from, in the current memory context, and whether we have
 * to come back to it.  Leaves the process if it is none any more.
 */
static TgMember *
require_member(TgNodeId peer, bool *must_return)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext caller = begin();
	TgMember   *member;

	MemoryContextSwitchTo(context);
	member = tg_member_find(peer);
	if (member == NULL || !member->is_active)
	{
		tg_roster_unwant(TG_WORKER_PULLER, peer);
		proc_exit(0);
	}
	if (tg_is_returning_to(peer))
		*must_return = true;
	commit(caller);
	return member;
}

/*
 * Has the peer told us, the last time, that its journal is cut behind our
 * cursor?
 */
static bool
was_cut_off(TgNodeId peer)
{
	TgPeer		known;

	return tg_peer_get(peer, &known) && known.state == TG_PEER_CUT;
}

/*
 * Leave the versions of the peer where people look for them.
 */
static void
note_versions(TgNodeId peer, TgLink *link)
{
	char	   *version = tg_link_ask(link, "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'topgun'",
									  0, NULL);

	tg_peer_set_versions(peer, tg_link_server_version(link), version != NULL ? version : "");
}

/*
 * Connect to the peer, and come back to it if need be; what belongs to the
 * link lives in the context.
 */
static void
open_link(TgNodeId peer, TgPull *pull, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	char		failpoint[NAMEDATALEN];
	bool		must_return;
	TgMember   *member;
	TgLink	   *link;

	snprintf(failpoint, sizeof(failpoint), "link-%d", peer);
	TG_FAILPOINT(failpoint);

	must_return = was_cut_off(peer);
	if (must_return)
		TG_FAILPOINT("return-begins");
	member = require_member(peer, &must_return);
	tg_peer_set_state(peer, TG_PEER_CONNECTING, NULL);
	link = tg_link_open(member->dsn, member->name);
	note_versions(peer, link);
	tg_view_exchange(link);
	(void) require_member(peer, &must_return);
	if (must_return)
	{
		tg_peer_set_state(peer, TG_PEER_RETURNING, NULL);
		tg_return(link, member);
	}
	(void) begin();
	tg_pull_start(pull, peer, link, context);
	commit(old);
	tg_peer_set_state(peer, TG_PEER_STREAMING, NULL);
}

/*
 * See whether tables are paused that need not be, while nothing is under way.
 */
static void
mend_tables(Puller *puller)
{
	TgPull	   *pull = &puller->pull;
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext caller;

	if (!TimestampDifferenceExceeds(puller->last_resume, now, RESUME_MS))
		return;
	puller->last_resume = now;
	caller = begin();
	tg_resume_paused(pull->link, pull->peer);
	commit(caller);
}

static void
run_round(Puller *puller)
{
	TgPull	   *pull = &puller->pull;
	char		failpoint[NAMEDATALEN];
	MemoryContext caller;
	int			wait_ms;

	snprintf(failpoint, sizeof(failpoint), "link-%d", pull->peer);
	TG_FAILPOINT(failpoint);
	TG_FAILPOINT("puller-round");

	mend_tables(puller);
	wait_ms = pull->behind ? 0 : WAIT_MS;
	caller = begin();
	tg_pull_send(pull, wait_ms);
	commit(caller);
	if (tg_pull_receive(pull, wait_ms))
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
			return TG_PEER_REFUSED;
		case ERRCODE_TG_JOURNAL_CUT:
			return TG_PEER_CUT;
		default:
			return TG_PEER_DOWN;
	}
}

/*
 * Message and detail, as much as topgun.stat_peer has room for.
 */
static const char *
describe(const ErrorData *error)
{
	char	   *both;

	if (error->detail == NULL)
		both = pstrdup(error->message);
	else
		both = psprintf("%s: %s", error->message, error->detail);
	both[pg_mbcliplen(both, strlen(both), TG_PEER_TEXT - 1)] = '\0';
	return both;
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
	tg_peer_set_state(peer, state_after(error->sqlerrcode), describe(error));
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
		error->sqlerrcode == ERRCODE_TG_JOURNAL_CUT)
		tg_roster_retry_at_once();
	else if (error->sqlerrcode == ERRCODE_TG_STALE_EPOCH)
		tg_roster_retry_soon();
	proc_exit(1);
}

/*
 * Main function of a puller.
 */
void
topgun_puller_main(Datum arg)
{
	TgWorker	worker;
	Puller		puller = {0};
	MemoryContext link_context;
	MemoryContext round_context;

	tg_worker_start(arg, "topgun puller", &worker);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	link_context = AllocSetContextCreate(TopMemoryContext, "topgun link", ALLOCSET_DEFAULT_SIZES);
	round_context = AllocSetContextCreate(TopMemoryContext, "topgun round", ALLOCSET_DEFAULT_SIZES);

	PG_TRY();
	{
		open_link(worker.peer, &puller.pull, link_context);
		while (tg_roster_is_wanted())
		{
			MemoryContextSwitchTo(round_context);
			run_round(&puller);
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
