/*-------------------------------------------------------------------------
 *
 * src/api/asker.c
 *	  What all functions that peers call check first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/asker.h"
#include "base/error.h"
#include "clock/identity.h"
#include "clock/monotonic.h"
#include "cluster/detector.h"
#include "miscadmin.h"
#include "transport/gate.h"
#include "worker/roster.h"

/*
 * A standby of a node is not the node: it knows less than the node has said.
 */
void
tg_asker_require_primary(void)
{
	PreventCommandDuringRecovery("answering a peer");
	(void) tg_node_id_required();
}

/*
 * The request must be sound, and come from a member that may ask.  A life that
 * we have not met has our pulse look who it is.
 */
void
tg_asker_check(bool is_sound, TgNodeId asker, TgEpoch epoch, TgIncarnation incarnation)
{
	if (!is_sound)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the request is not one of this version of topgun")));
	if (tg_accepted_claim(asker, incarnation, tg_monotonic_ms()) == TG_CLAIM_NEW && tg_detector_call(asker, true))
		tg_roster_wake(TG_WORKER_PULSE);
	tg_gate_check(asker, epoch, incarnation);
}
