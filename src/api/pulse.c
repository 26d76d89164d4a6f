/*-------------------------------------------------------------------------
 *
 * src/api/pulse.c
 *	  SQL functions of the epoch and the failure detector.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/asker.h"
#include "base/error.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "clock/monotonic.h"
#include "cluster/detector.h"
#include "cluster/pulse.h"
#include "fmgr.h"
#include "transport/gate.h"
#include "transport/member.h"
#include "utils/builtins.h"
#include "worker/roster.h"

PG_FUNCTION_INFO_V1(topgun_epoch);
PG_FUNCTION_INFO_V1(topgun_phi);
PG_FUNCTION_INFO_V1(topgun_pulse);

/*
 * topgun.epoch(): the number of the view this node is in.
 */
Datum
topgun_epoch(PG_FUNCTION_ARGS)
{
	(void) tg_node_id_required();
	PG_RETURN_INT64((int64) tg_epoch_current());
}

/*
 * topgun.phi(node_name): how sure this node is that the other has failed.
 */
Datum
topgun_phi(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ListCell   *lc;

	(void) tg_node_id_required();
	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);
		TgDetected	detected;

		if (strcmp(member->name, name) != 0)
			continue;
		if (!tg_detector_get(member->node, &detected))
			PG_RETURN_FLOAT8(0);	/* ourselves, or one that has left */
		PG_RETURN_FLOAT8(detected.phi);
	}
	ereport(ERROR,
			(errcode(ERRCODE_TG_UNKNOWN_PEER),
			 errmsg("the cluster has no node \"%s\"", name)));
}

/*
 * Is the sender the node that it says?  If it seems not to be, the view may
 * have taken it back since we knew it, or a newer one than ours.  Only then is
 * the view looked at: whoever locks its table must not hold up heartbeats.
 */
static TgClaim
claim_of(const TgPulse *pulse)
{
	TgClaim		claim = tg_accepted_claim(pulse->sender, pulse->incarnation, tg_monotonic_ms());
	TgMember   *member;

	if (claim != TG_CLAIM_REFUSED)
		return claim;
	if (pulse->epoch > tg_epoch_current())
		return TG_CLAIM_GOOD;
	member = tg_member_find(pulse->sender);
	if (member == NULL || !member->is_active)
		return claim;
	tg_accepted_renew(pulse->sender, member->since);
	return tg_accepted_claim(pulse->sender, pulse->incarnation, tg_monotonic_ms());
}

/*
 * topgun_internal.pulse(request): a heartbeat, answered with our own.  Whoever
 * asks gets it: one that is no member any more finds that out by the epoch.
 * Only one that is not who it says is told so.
 */
Datum
topgun_pulse(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	StringInfo	buf = makeStringInfo();
	TgPulse		request;
	TgPulse		answer;
	TgReader	reader;
	TgClaim		claim;

	tg_reader_init(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if (!tg_wire_read_pulse(&reader, &request))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the request is not one of this version of topgun")));
	tg_asker_require_primary();

	claim = claim_of(&request);
	if (claim == TG_CLAIM_REFUSED)
		tg_gate_refuse_copy(request.sender);
	if (tg_detector_call(request.sender, claim == TG_CLAIM_NEW))
		tg_roster_wake(TG_WORKER_PULSE);
	tg_pulse_describe(&answer);
	tg_wire_write_pulse(buf, &answer);
	return PointerGetDatum(cstring_to_text_with_len(buf->data, buf->len));
}
