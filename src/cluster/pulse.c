/*-------------------------------------------------------------------------
 *
 * src/cluster/pulse.c
 *	  Heartbeats: what they say, and what is made of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "clock/monotonic.h"
#include "clock/node_clock.h"
#include "cluster/detector.h"
#include "cluster/event.h"
#include "cluster/pulse.h"
#include "transport/accepted.h"
#include "transport/incarnation.h"
#include "transport/view_store.h"
#include "utils/timestamp.h"

/*
 * Our own pulse.  Needs a transaction.
 */
void
tg_pulse_describe(TgPulse *pulse)
{
	TgView	   *view = tg_view_current();

	memset(pulse, 0, sizeof(*pulse));
	pulse->sender = tg_node_id_required();
	pulse->incarnation = tg_incarnation_current();
	pulse->view_id = view != NULL ? view->id : 0;
	pulse->ceiling = tg_clock_found();
	pulse->nancestors = tg_incarnation_ancestors(pulse->ancestors, TG_PULSE_MAX_ANCESTORS);
	(void) tg_epoch_current();	/* known from now on */
	tg_pulse_refresh(pulse);
}

/*
 * A peer tells us that we are not the node that the cluster knows.  If there
 * is a newer view than when it was asked, it may be the one that takes us back.
 */
void
tg_pulse_refused(const char *peer, const char *reason, TgEpoch asked)
{
	if (tg_epoch_has_fence(TG_FENCE_VIEW) || asked != tg_epoch_current())
		return;
	tg_epoch_fence(asked);
	ereport(WARNING,
			(errcode(ERRCODE_TG_FENCED),
			 errmsg("this node is fenced"),
			 errdetail("Node \"%s\" says: %s.", peer, reason),
			 errhint("If this is a copy, stop it; else bring it back with topgun.rejoin().")));
}

/*
 * Bring up to now what changes from one pulse to the next.  Needs no
 * transaction.
 */
void
tg_pulse_refresh(TgPulse *pulse)
{
	pulse->epoch = tg_epoch_current();
	pulse->nsuspects = tg_detector_suspected(pulse->suspects);
	pulse->clock = tg_clock_tick(pulse->sender);
	pulse->wall_us = tg_clock_wall_us();
}

static bool
is_accepted(const TgPulse *answer, int64 sent_ms)
{
	bool		is_news;
	TgLife		life = tg_accepted_judge(answer, sent_ms, &is_news);

	if (life <= TG_LIFE_NEXT)
		return true;
	if (is_news)
		ereport(WARNING,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("node %d is refused", answer->sender),
				 life == TG_LIFE_COPY ?
				 errdetail("It does not descend from the node that this one knows.") :
				 errdetail("It was restored from a backup, or is a standby that was promoted: its clock is older than what this node knows of it."),
				 errhint("Use topgun.rejoin() on that node.")));
	return false;
}

/*
 * A peer has answered our pulse.  Its clock is compared with ours in the middle
 * of the round trip.  From one that is not the peer we know this is no
 * heartbeat.
 */
TgPhiEvent
tg_pulse_heard(const TgPulse *answer, const TgPulseTimes *times)
{
	TgHeartbeat heartbeat = {
		.at = GetCurrentTimestamp(),
		.round_trip_us = times->round_trip_us,
		.clock_offset_us = answer->wall_us - (times->sent_wall_us + times->round_trip_us / 2),
		.ahead_us = times->sent_clock_us + times->round_trip_us / 2 - answer->wall_us,
		.epoch = answer->epoch,
		.view_id = answer->view_id,
		.nsuspects = answer->nsuspects
	};

	if (!is_accepted(answer, times->sent_ms))
		return TG_PHI_NOTHING;
	memcpy(heartbeat.suspects, answer->suspects, sizeof(heartbeat.suspects));
	return tg_detector_heartbeat(answer->sender, tg_monotonic_ms(), &heartbeat);
}

/*
 * Tell people and programs what has happened to a peer.  Needs a transaction.
 */
void
tg_pulse_tell(TgNodeId node, const char *name, TgPhiEvent event)
{
	switch (event)
	{
		case TG_PHI_SUSPECTED:
			ereport(LOG,
					(errmsg("node \"%s\" is suspected to have failed", name)));
			tg_event_of_node("suspected", node, name);
			break;
		case TG_PHI_CONFIRMED:
			ereport(LOG,
					(errmsg("node \"%s\" has failed", name),
					 errdetail("It has been suspected for topgun.confirmation_timeout.")));
			tg_event_of_node("confirmed", node, name);
			break;
		case TG_PHI_RECOVERED:
			ereport(LOG,
					(errmsg("node \"%s\" is back", name)));
			tg_event_of_node("recovered", node, name);
			break;
		case TG_PHI_NOTHING:
			break;
	}
}
