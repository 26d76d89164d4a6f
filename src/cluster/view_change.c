/*-------------------------------------------------------------------------
 *
 * src/cluster/view_change.c
 *	  Changing who is in the cluster.
 *
 * A change starts from the newest view that this node knows and tries to have
 * its successor decided, cluster/campaign.c.  If another change was proposed
 * before, that one comes first, and ours starts anew from there.  So two nodes
 * that join by way of two members at a time get two ids.
 *
 * topgun.node follows the view: whoever has had a view decided writes it there
 * as it becomes the view of his node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/guc.h"
#include "base/wait.h"
#include "clock/identity.h"
#include "cluster/address_book.h"
#include "cluster/ballot.h"
#include "cluster/campaign.h"
#include "cluster/detector.h"
#include "cluster/phantom.h"
#include "cluster/view_change.h"
#include "cluster/view_vote.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define FIRST_PAUSE_MS		50	/* at most, before the second attempt */
#define MAX_PAUSE_MS		1000

/* A change under way. */
typedef struct Run
{
	const TgViewChange *change;
	TgNodeId	self;
	TimestampTz deadline;
	int			attempts;
} Run;

static void
begin(void)
{
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
}

static void
commit(void)
{
	MemoryContext context = CurrentMemoryContext;

	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

static TgView *
newest_view(void)
{
	TgView	   *view;

	begin();
	view = tg_view_learn(NULL);
	commit();
	return view;
}

/*
 * Make a view that was decided the one of this node, unless it has heard of it
 * by now, or of a later one.
 */
static void
take_over(const TgView *view, bool is_decided_here)
{
	begin();
	if (tg_view_learn(view)->id == view->id && is_decided_here)
		tg_book_write(view);
	commit();
}

static const TgViewMember *
find_subject(const TgView *view, const TgViewChange *change)
{
	return change->node != 0 ? tg_view_find(view, change->node) : tg_view_find_name(view, change->name);
}

/*
 * Is the change already made in this view?
 */
static bool
is_made(const TgView *view, const TgViewChange *change)
{
	const TgViewMember *member = find_subject(view, change);

	switch (change->reason)
	{
		case TG_VIEW_JOIN:
			return member != NULL && strcmp(member->dsn, change->dsn) == 0;
		case TG_VIEW_REJOIN:
			return member != NULL && member->since > change->after;
		default:
			return member == NULL;
	}
}

/*
 * Is there no reason any more to take the node for dead, or nobody who could
 * agree with us?
 */
static bool
is_moot(const TgView *view, const Run *run)
{
	const TgViewChange *change = run->change;
	bool		is_alone = view->nmembers <= 2 && tg_phantom_of_two(view, run->self) != change->node;

	return change->reason == TG_VIEW_FAILURE &&
		(is_alone || !tg_detector_suspects(change->node));
}

static void
require_possible(const TgView *view, const Run *run)
{
	const TgViewChange *change = run->change;
	bool		is_new = change->reason == TG_VIEW_JOIN;

	if (!tg_view_has(view, run->self))
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("this node is not in the current view of the cluster"),
				 errhint("Use topgun.rejoin(), or do it on another node.")));
	if (is_new && tg_view_find_name(view, change->name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("the cluster has a node \"%s\" with another connection string", change->name),
				 errhint("Choose another name.")));
	if (is_new && view->next_node > TG_MAX_NODE)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("the cluster has used up its %d node ids", TG_MAX_NODE)));
	if ((is_new || change->reason == TG_VIEW_REJOIN) && view->nmembers >= TG_MAX_MEMBERS)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("the cluster has %d members already", TG_MAX_MEMBERS)));
}

/*
 * The view that this change would give.
 */
static TgView *
successor(const TgView *base, const Run *run)
{
	const TgViewChange *change = run->change;
	TgView	   *view = tg_view_copy(base);

	view->epoch = Max(base->epoch, change->after) + 1;
	view->id = tg_view_random_id();
	view->proposer = run->self;
	view->at = GetCurrentTimestamp();
	view->reason = change->reason;
	view->subject = pstrdup(change->name);
	if (change->reason == TG_VIEW_FORCE)
	{
		view->forked_at = view->epoch;
		view->fork_id = view->id;
	}
	if (change->reason == TG_VIEW_JOIN || change->reason == TG_VIEW_REJOIN)
	{
		TgViewMember member = {
			.node = change->node != 0 ? change->node : base->next_node,
			.since = view->epoch,
			.name = pstrdup(change->name),
			.dsn = pstrdup(change->dsn)
		};

		tg_view_add(view, &member);
	}
	else
		tg_view_remove(view, change->node);
	return view;
}

static void
fail_for_votes(const TgView *base, const Run *run, const char *report)
{
	bool		is_one_of_two = run->change->reason == TG_VIEW_EVICT && base->nmembers == 2;

	ereport(ERROR,
			(errcode(ERRCODE_TG_NO_MAJORITY),
			 errmsg("no majority of the cluster has voted for the change: %s", tg_view_reason_text(run->change->reason, run->change->name)),
			 errdetail("Of %d members %d must vote.\n%s", base->nmembers,
					   tg_majority_of(base->nmembers), report),
			 is_one_of_two ?
			 errhint("Make sure that the other node is gone, and use topgun.evict('%s', force => true).",
					 run->change->name) :
			 errhint("Try again when they are there.")));
}

/*
 * Proposers that meet must not meet again: pause for a time by chance.
 */
static void
pause_by_chance(Run *run)
{
	int			most_ms = Min(FIRST_PAUSE_MS << Min(run->attempts, 10), MAX_PAUSE_MS);

	run->attempts++;
	(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 1 + (long) (pg_prng_double(&pg_global_prng_state) * most_ms),
					 tg_wait_event(TG_WAIT_PAUSE));
	CHECK_FOR_INTERRUPTS();
}

/*
 * One attempt, from the newest view.  True if there is a newer one now.
 */
static bool
attempt(const TgView *base, Run *run)
{
	const TgViewChange *change = run->change;
	TgCampaign *campaign = tg_campaign_begin(base, change->reason == TG_VIEW_FAILURE ? change->node : 0);
	TgView	   *own = successor(base, run);
	TgView	   *view = own;
	TgOutcome	outcome = change->reason == TG_VIEW_FORCE ? TG_OUTCOME_DECIDED :
	tg_campaign_run(campaign, own, &view);

	switch (outcome)
	{
		case TG_OUTCOME_DECIDED:
			take_over(view, true);
			TG_FAILPOINT("view-before-tell");
			tg_campaign_tell(campaign, view);
			break;
		case TG_OUTCOME_STALE:
			take_over(view, false);
			break;
		case TG_OUTCOME_OUTBID:
		case TG_OUTCOME_SHORT:
			if (GetCurrentTimestamp() >= run->deadline)
				fail_for_votes(base, run, tg_campaign_report(campaign));
			break;
	}
	tg_campaign_end(campaign);
	return outcome == TG_OUTCOME_DECIDED || outcome == TG_OUTCOME_STALE;
}

/*
 * Make a change; the view in which it is made, in the current memory context,
 * or the newest one if a node that seemed to have failed is to stay.
 * Runs outside of a transaction, in a process that has nothing else to do.
 * Errors out with ERRCODE_TG_NO_MAJORITY if too few members vote in time; then
 * the change may still be made one day, by whoever changes something next.
 */
TgView *
tg_view_change(const TgViewChange *change)
{
	Run			run = {
		.change = change,
		.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_connect_timeout_ms)
	};

	Assert(!IsTransactionState());

	for (;;)
	{
		TgView	   *base = newest_view();

		run.self = tg_node_id();
		if (is_made(base, change) || is_moot(base, &run))
			return base;
		require_possible(base, &run);
		if (!attempt(base, &run))
			pause_by_chance(&run);
	}
}
