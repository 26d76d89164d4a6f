/*-------------------------------------------------------------------------
 *
 * src/cluster/commit_wait.c
 *	  A commit that waits until other members have it durably.
 *
 * As in synchronous replication (replication/syncrep.c of PostgreSQL) the
 * transaction has committed here when the wait begins; whatever comes, it
 * cannot be taken back, so there are no errors but only warnings.  Unlike
 * there, all can see it, and its locks are gone: peers pull what is visible.
 *
 *	pre-commit		who are the members?  Later no catalog can be read.
 *	commit			say what we wait for, before we leave the registry; so
 *					the answer that brings the transaction to a peer says, too,
 *					that it is to be acknowledged at once
 *	after locks		wait
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/guc.h"
#include "base/wait.h"
#include "clock/identity.h"
#include "cluster/commit_wait.h"
#include "journal/append.h"
#include "journal/inflight.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "transport/ack.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

/* What the commit of the current transaction waits for. */
static struct
{
	List	   *others;			/* of TgMember; in TopTransactionContext */
	int			needed;			/* of them; 0: does not wait */
	TgPosition	position;		/* of ours; 0: not known yet */
}			wait;

/*
 * How many other members must have a transaction, in a cluster with so many
 * others?  Of a node that is alone the majority is itself.
 */
static int
needed_of(TgSynchronous level, int nothers)
{
	switch (level)
	{
		case TG_SYNCHRONOUS_OFF:
			return 0;
		case TG_SYNCHRONOUS_ONE:
			return 1;
		case TG_SYNCHRONOUS_QUORUM:
			return (nothers + 1) / 2;
		case TG_SYNCHRONOUS_ALL:
			return nothers;
	}
	return 0;
}

/*
 * A transaction that has written to replicated tables is about to commit.
 */
static void
prepare(void)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	TgNodeId	self = tg_node_id_required();
	ListCell   *lc;

	wait.others = NIL;
	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active && member->node != self)
			wait.others = lappend(wait.others, member);
	}
	wait.needed = needed_of(tg_synchronous, list_length(wait.others));
	wait.position = 0;
	MemoryContextSwitchTo(old);
}

static void
forget(void)
{
	tg_ack_leave();
	wait.others = NIL;
	wait.needed = 0;
	wait.position = 0;
}

static bool
has_it(const TgMember *member)
{
	TgPeer		peer;

	return tg_peer_get(member->node, &peer) && peer.confirmed >= wait.position;
}

static bool
is_enough(void)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, wait.others)
		n += has_it(lfirst(lc));
	return n >= wait.needed;
}

/*
 * The members that have acknowledged the transaction, and those that have not,
 * as a sentence.
 */
static char *
describe(void)
{
	StringInfoData have;
	StringInfoData lack;
	ListCell   *lc;

	initStringInfo(&have);
	initStringInfo(&lack);
	foreach(lc, wait.others)
	{
		TgMember   *member = lfirst(lc);
		StringInfo	list = has_it(member) ? &have : &lack;

		appendStringInfo(list, "%s\"%s\"", list->len > 0 ? ", " : "", member->name);
	}
	return psprintf("The transaction has committed on this node. Members that have it durably: %s; that have not said so: %s.",
					have.len > 0 ? have.data : "none", lack.len > 0 ? lack.data : "none");
}

static void
warn_time_out(void)
{
	ereport(WARNING,
			(errcode(ERRCODE_TG_NOT_ACKNOWLEDGED),
			 errmsg("commit was not acknowledged by %d of the other members within %d ms",
					wait.needed, tg_ack_timeout_ms),
			 errdetail_internal("%s", describe()),
			 errhint("It will reach them when they can be reached; see topgun.stat_peer.")));
}

static void
warn_too_few(void)
{
	ereport(WARNING,
			(errcode(ERRCODE_TG_NOT_ACKNOWLEDGED),
			 errmsg("commit cannot be acknowledged: this node is the only member"),
			 errdetail("The transaction has committed on this node and is nowhere else.")));
}

/*
 * The session ends, or its user does not want to wait: as syncrep.c does.  Of
 * a session that ends the client must not hear that it has committed.
 */
static bool
is_interrupted(void)
{
	if (ProcDiePending)
	{
		ereport(WARNING,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("canceling the wait for acknowledgements and terminating connection due to administrator command"),
				 errdetail_internal("%s", describe())));
		whereToSendOutput = DestNone;
		return true;
	}
	if (QueryCancelPending)
	{
		QueryCancelPending = false;
		ereport(WARNING,
				(errcode(ERRCODE_TG_NOT_ACKNOWLEDGED),
				 errmsg("canceling the wait for acknowledgements due to user request"),
				 errdetail_internal("%s", describe())));
		return true;
	}
	return false;
}

/*
 * Until enough members have acknowledged.  Interrupts are held off by
 * CommitTransaction(), so nothing in here can end it in the middle.
 */
static void
wait_for_members(void)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_ack_timeout_ms);

	for (;;)
	{
		long		rest_ms = -1;
		int			events = WL_LATCH_SET | WL_POSTMASTER_DEATH;

		ResetLatch(MyLatch);
		if (is_enough() || is_interrupted())
			return;
		if (tg_ack_timeout_ms > 0)
		{
			rest_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
			events |= WL_TIMEOUT;
			if (rest_ms <= 0)
			{
				warn_time_out();
				return;
			}
		}
		if (WaitLatch(MyLatch, events, rest_ms, tg_wait_event(TG_WAIT_ACKNOWLEDGEMENT)) & WL_POSTMASTER_DEATH)
		{
			ProcDiePending = true;
			whereToSendOutput = DestNone;
			return;
		}
	}
}

/*
 * Wait for the current transaction, which has committed and released its
 * locks.  What counts ourselves in must be true of us, too, whatever
 * synchronous_commit says.
 */
static void
wait_after_commit(void)
{
	TG_FAILPOINT("commit-before-wait");
	if (wait.needed > list_length(wait.others))
		warn_too_few();
	else
	{
		XLogFlush(XactLastCommitEnd);
		wait_for_members();
	}
	forget();
	TG_FAILPOINT("commit-after-wait");
}

/*
 * Sessions of users wait; workers do not: who waits for their work knows when
 * it is done.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (tg_synchronous != TG_SYNCHRONOUS_OFF && MyBackendType == B_BACKEND &&
				tg_journal_has_changes())
				prepare();
			break;
		case XACT_EVENT_COMMIT:
			if (wait.needed == 0)
				break;
			wait.position = tg_inflight_position();
			if (wait.position != 0)
				tg_ack_await(wait.position);
			else
				forget();
			break;
		case XACT_EVENT_ABORT:
			if (wait.needed > 0)
				forget();
			break;
		default:
			break;
	}
}

/*
 * Owners of queries are released before that of the transaction.
 */
static void
after_locks(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	if (wait.position != 0 && phase == RESOURCE_RELEASE_AFTER_LOCKS && is_commit &&
		is_top_level && CurrentResourceOwner == TopTransactionResourceOwner)
		wait_after_commit();
}

/*
 * Follow the ends of transactions.  Call once, from _PG_init().
 */
void
tg_commit_wait_install(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterResourceReleaseCallback(after_locks, NULL);
}
