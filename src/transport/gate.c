/*-------------------------------------------------------------------------
 *
 * src/transport/gate.c
 *	  Who may ask this node, and whose answer may be merged.
 *
 * Asker and answerer must be members of the same view, and the asker must live
 * the life that we accept.  So a node that is in an old view neither gets nor
 * gives anything, until it has learned the new one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "clock/epoch.h"
#include "clock/monotonic.h"
#include "transport/gate.h"
#include "transport/member.h"

static void
check_member(TgNodeId asker)
{
	TgMember   *member = tg_member_find(asker);

	if (member == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TG_UNKNOWN_PEER),
				 errmsg("node %d is not a member of this cluster", asker),
				 errhint("Use topgun.join() on that node.")));
	if (!member->is_active)
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("node \"%s\" is fenced", member->name),
				 errdetail("It is not in the current view of the cluster."),
				 errhint("Use topgun.rejoin() on that node.")));
	tg_accepted_renew(asker, member->since);
}

static void
check_epoch(TgEpoch asked)
{
	TgEpoch		ours = tg_epoch_current();

	if (asked == ours)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TG_STALE_EPOCH),
			 errmsg("the request is of epoch %llu, this node is in epoch %llu",
					(unsigned long long) asked, (unsigned long long) ours),
			 errdetail("Whoever is behind learns the newest view by itself.")));
}

/*
 * Say to a node that it is not the one that the cluster knows.
 */
void
tg_gate_refuse_copy(TgNodeId asker)
{
	ereport(ERROR,
			(errcode(ERRCODE_TG_FENCED),
			 errmsg("node %d is fenced", asker),
			 errdetail("It is a copy of the node that the cluster knows, or was restored from a backup."),
			 errhint("Stop the copy, or use topgun.rejoin() on the restored node.")));
}

/*
 * Errors out unless this asker may have an answer: ERRCODE_TG_FENCED if it is
 * not in the view or another than it says, ERRCODE_TG_STALE_EPOCH if it should
 * ask again in a moment, ERRCODE_TG_UNKNOWN_PEER if it never was a member.
 */
void
tg_gate_check(TgNodeId asker, TgEpoch epoch, TgIncarnation incarnation)
{
	/* of a newer view than ours we cannot tell who is in it */
	if (epoch > tg_epoch_current())
		check_epoch(epoch);
	check_member(asker);
	check_epoch(epoch);

	switch (tg_accepted_claim(asker, incarnation, tg_monotonic_ms()))
	{
		case TG_CLAIM_GOOD:
			break;
		case TG_CLAIM_REFUSED:
			tg_gate_refuse_copy(asker);
		case TG_CLAIM_NEW:
		case TG_CLAIM_OPEN:
			ereport(ERROR,
					(errcode(ERRCODE_TG_STALE_EPOCH),
					 errmsg("node %d has been started again, and has not answered a heartbeat since", asker)));
	}
}

/*
 * What was asked for in this epoch may be committed only in it.  Errors out
 * with ERRCODE_TG_STALE_EPOCH if there is a newer view by now.
 */
void
tg_gate_require_current(TgEpoch asked)
{
	if (asked != tg_epoch_current())
		ereport(ERROR,
				(errcode(ERRCODE_TG_STALE_EPOCH),
				 errmsg("there is a newer view of the cluster than when the peer was asked"),
				 errdetail("It will be asked again.")));
}
