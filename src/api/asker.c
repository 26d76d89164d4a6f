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
tg_asker_check(bool is_sound, const TgSpeaker *asker)
{
	if (!is_sound)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the request is not one of this version of topgun")));
	if (tg_accepted_claim(asker->node, asker->incarnation, tg_monotonic_ms()) == TG_CLAIM_NEW &&
		tg_detector_call(asker->node, true))
		tg_roster_wake(TG_WORKER_PULSE);
	tg_gate_check(asker);
}

/*
 * The same for a function that takes who asks as an argument beside others.
 * Errors out also if this node cannot answer.
 */
TgSpeaker
tg_asker_require(const bytea *message)
{
	TgSpeaker	asker;
	TgReader	reader;
	bool		is_sound;

	tg_asker_require_primary();
	tg_reader_init(&reader, VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message));
	is_sound = tg_wire_read_asker(&reader, &asker);
	tg_asker_check(is_sound, &asker);
	return asker;
}
