/*-------------------------------------------------------------------------
 *
 * src/cluster/rejoin.c
 *	  Coming back into the view.
 *
 * A node that was evicted, or whose incarnation the others refuse, keeps its
 * id.  It asks a member for a view with itself in it, of a later epoch, and
 * takes that over even if its own line of views has parted from the cluster's.
 * Then it comes back to each member by difference, transport/return.c: what
 * was deleted meanwhile is deleted here, too, and what was written here is
 * merged there, except on keys whose deletion was collected: that is put
 * aside.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/guc.h"
#include "clock/identity.h"
#include "cluster/reach.h"
#include "cluster/rejoin.h"
#include "cluster/view_vote.h"
#include "miscadmin.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define VOTING_TIMEOUT_MS	(60 * 1000)

/* Our side of it, and what came of asking. */
typedef struct Rejoin
{
	MemoryContext context;
	TgNodeId	self;
	TgEpoch		epoch;			/* the newest we know */
	List	   *members;		/* of TgMember, those that may help */
	TgBytes		view;			/* what one has answered; data NULL: nothing */
	StringInfoData failures;
} Rejoin;

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

/*
 * Whoever is, or was, a member may know the cluster; those of our own view
 * first.  We are going to return to all of them: that is written down first,
 * since pullers start as soon as anybody has told us the new view.
 */
static void
find_members(Rejoin *rejoin)
{
	ListCell   *lc;

	begin();
	rejoin->self = tg_node_id_required();
	rejoin->epoch = tg_view_learn(NULL)->epoch;
	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->node == rejoin->self)
			continue;
		rejoin->members = member->is_active ? lcons(member, rejoin->members) :
			lappend(rejoin->members, member);
		tg_set_returning_to(member->node, true);
	}
	commit();
}

static void
ask(Rejoin *rejoin, const TgMember *member)
{
	char		node[16];
	char		epoch[24];
	TgLink	   *link = tg_link_open(member->dsn, member->name);
	TgLinkParam params[] = {{node, 0, false}, {tg_database_identity(), 0, false}, {epoch, 0, false}};
	TgBytes		answer;

	snprintf(node, sizeof(node), "%d", rejoin->self);
	snprintf(epoch, sizeof(epoch), UINT64_FORMAT, rejoin->epoch);
	tg_link_send(link, "SELECT topgun_internal.readmit($1, $2, $3)", 3, params);
	answer = tg_link_receive(link, VOTING_TIMEOUT_MS);
	rejoin->view.len = answer.len;
	rejoin->view.data = memcpy(MemoryContextAlloc(rejoin->context, answer.len + 1),
							   answer.data, answer.len);
	tg_link_close(link);
}

/*
 * Ask a member for the view; why it did not give one is kept.
 */
static bool
try_ask(Rejoin *rejoin, const TgMember *member)
{
	MemoryContext attempt = AllocSetContextCreate(rejoin->context, "topgun rejoin attempt",
												  ALLOCSET_SMALL_SIZES);
	volatile bool is_answered = true;

	MemoryContextSwitchTo(attempt);
	PG_TRY();
	{
		ask(rejoin, member);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(rejoin->context);
		error = CopyErrorData();
		FlushErrorState();
		appendStringInfo(&rejoin->failures, "%snode \"%s\": %s%s%s", rejoin->failures.len > 0 ? "\n" : "",
						 member->name, error->message, error->detail != NULL ? ": " : "",
						 error->detail != NULL ? error->detail : "");
		is_answered = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(rejoin->context);
	MemoryContextDelete(attempt);
	return is_answered;
}

/*
 * Take the view over, whatever line of views ours is of.  We may have heard of
 * it already.
 */
static void
come_back(const Rejoin *rejoin)
{
	TgView	   *view = tg_view_require(rejoin->view);
	TgView	   *ours;
	TgVoteState votes;
	ListCell   *lc;

	begin();
	ours = tg_view_lock(&votes);
	if (ours->epoch < view->epoch)
	{
		tg_view_install(view);
		ours = view;
	}
	if (!tg_view_has(ours, rejoin->self))
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("this node has been removed again"),
				 errhint("See topgun.epoch_history.")));

	/* it stays for those that are, and for new ones it is not needed */
	foreach(lc, rejoin->members)
	{
		TgMember   *member = lfirst(lc);

		if (!tg_view_has(ours, member->node))
			tg_set_returning_to(member->node, false);
	}
	commit();
}

/*
 * Bring this node back into the view.  Runs outside of a transaction.  Returns
 * when it is in; the differences come in the background.
 */
void
tg_rejoin(void)
{
	Rejoin		rejoin = {.context = CurrentMemoryContext};
	ListCell   *lc;

	initStringInfo(&rejoin.failures);
	find_members(&rejoin);
	foreach(lc, rejoin.members)
	{
		if (try_ask(&rejoin, lfirst(lc)))
			break;
	}
	if (rejoin.view.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TG_NO_MAJORITY),
				 errmsg("no member of the cluster has taken this node back"),
				 rejoin.failures.len > 0 ? errdetail_internal("%s", rejoin.failures.data) : 0));
	come_back(&rejoin);
}
