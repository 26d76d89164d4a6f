/*-------------------------------------------------------------------------
 *
 * src/cluster/failure.c
 *	  What is done about what heartbeats tell.
 *
 * A node sees for itself whether it may write.  To remove a node that has
 * failed is up to a majority, see view_change.c; here it is only asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "clock/epoch.h"
#include "cluster/detector.h"
#include "cluster/failure.h"
#include "cluster/phantom.h"
#include "cluster/view_errand.h"
#include "transport/member.h"

#define TURN_MS			5000	/* until the next one tries to remove a node */
#define PATIENCE		3		/* with a node that is joining, as if one that
								 * has failed had this many times longer */

/*
 * Are these two members, one of which has never been heard of?
 */
static bool
is_pair_with_phantom(const List *members, TgNodeId self)
{
	int			nactive = 0;
	int			nphantoms = 0;
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		nactive += member->is_active;
		nphantoms += member->node != self && tg_is_phantom(member);
	}
	return nactive == 2 && nphantoms == 1;
}

/*
 * See whether clients may still write here: not if we do not hear of a
 * majority of these members, or if our clock, the one that stamps are made of,
 * is too far ahead of those of a majority.  A phantom that we decide without is
 * not missed.
 */
void
tg_failure_set_fences(const List *members, const TgPulse *own)
{
	int			nmembers = 0;
	int			nheard = 0;
	int			nbehind = 0;
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);
		TgDetected	peer;

		if (!member->is_active)
			continue;
		nmembers++;
		if (member->node == own->sender)
			nheard++;
		else if (tg_detector_get(member->node, &peer) && !peer.is_suspected)
		{
			nheard++;
			if (peer.last.at != 0 &&
				peer.last.ahead_us > tg_max_clock_drift_ms * INT64CONST(1000))
				nbehind++;
		}
	}
	tg_epoch_set_fence(TG_FENCE_MINORITY, nheard * 2 <= nmembers && !is_pair_with_phantom(members, own->sender));
	tg_epoch_set_fence(TG_FENCE_CLOCK, nbehind * 2 > nmembers);
}

/*
 * Learn the view of a member that is further than we are.
 */
static void
learn_view(const List *members, const TgPulse *own)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);
		TgDetected	peer;

		if (!member->is_active || !tg_detector_get(member->node, &peer))
			continue;
		if (!peer.is_suspected && peer.last.at != 0 && peer.last.epoch > own->epoch)
		{
			tg_view_learn_begin(member->node);
			return;
		}
	}
}

/*
 * How many members that are there come before us?
 */
static int
turns_before(const List *members, const TgPulse *own)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active && member->node < own->sender &&
			!tg_detector_suspects(member->node))
			n++;
	}
	return n;
}

/*
 * Have members removed that have failed.  One node tries first; so others
 * wait their turn.
 */
static void
remove_failed(const List *members, const TgPulse *own)
{
	int64		wait_ms = tg_confirmation_timeout_ms + (int64) turns_before(members, own) * TURN_MS;
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);
		TgDetected	peer;

		if (!member->is_active || !tg_detector_get(member->node, &peer))
			continue;
		if (peer.is_confirmed &&
			peer.suspected_for_ms >= wait_ms * (tg_is_phantom(member) ? PATIENCE : 1))
		{
			tg_view_evict_begin(member->node);
			return;
		}
	}
}

/*
 * Do what the heartbeats call for; come again in a moment, for what is asked
 * for here may fail.
 */
void
tg_failure_act(const List *members, const TgPulse *own)
{
	learn_view(members, own);
	if (!tg_epoch_has_fence(TG_FENCE_VIEW) && !tg_epoch_has_fence(TG_FENCE_MINORITY))
		remove_failed(members, own);
}
