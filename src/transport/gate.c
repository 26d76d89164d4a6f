/*-------------------------------------------------------------------------
 *
 * src/transport/gate.c
 *	  Who may ask this node, and whose answer may be merged.
 *
 * Every request says who asks.  Asker and answerer must be members of the same
 * view, and the asker must live the life that we accept.  So a node that is in
 * an old view neither gets nor gives anything, until it has learned the new one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "clock/monotonic.h"
#include "transport/gate.h"
#include "utils/guc.h"
#include "transport/incarnation.h"
#include "transport/member.h"

/*
 * What we say of ourselves to a peer.
 */
TgSpeaker
tg_speaker_self(void)
{
	TgEpochId	id = tg_epoch_id();
	TgSpeaker	self = {
		.node = tg_node_id_required(),
		.epoch = id.epoch,
		.view_id = id.view_id,
		.incarnation = tg_incarnation_current()
	};

	return self;
}

/*
 * The same in an answer: it is of the view in which the asker has asked.
 */
TgSpeaker
tg_speaker_to(const TgSpeaker *asker)
{
	TgSpeaker	self = {
		.node = tg_node_id_required(),
		.epoch = asker->epoch,
		.view_id = asker->view_id,
		.incarnation = tg_incarnation_current()
	};

	return self;
}

/*
 * What we say of ourselves as a parameter of SQL, in the current memory context.
 */
TgLinkParam
tg_speaker_param(void)
{
	TgSpeaker	self = tg_speaker_self();
	TgLinkParam param = {.is_binary = true};
	StringInfoData buf;

	initStringInfo(&buf);
	tg_wire_write_asker(&buf, &self);
	param.data = buf.data;
	param.len = buf.len;
	return param;
}

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
check_epoch(const TgSpeaker *asker)
{
	TgEpochId	ours = tg_epoch_id();

	if (asker->epoch == ours.epoch && asker->view_id == ours.view_id)
		return;
	if (asker->epoch == ours.epoch)
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("the members disagree since a view was forced"),
				 errdetail("Node %d knows another view of epoch %llu than this node.",
						   asker->node, (unsigned long long) asker->epoch),
				 errhint("Use topgun.rejoin() on the nodes of one side.")));
	ereport(ERROR,
			(errcode(ERRCODE_TG_STALE_EPOCH),
			 errmsg("the request is of epoch %llu, this node is in epoch %llu",
					(unsigned long long) asker->epoch, (unsigned long long) ours.epoch),
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
			 errdetail("It is a copy of the node that the cluster knows, was restored from a backup, or is a standby that was promoted."),
			 errhint("Stop the copy, or use topgun.rejoin() on the node that shall go on.")));
}

/*
 * Errors out with ERRCODE_TG_FENCED if the asker is known to be another than it
 * says.
 */
void
tg_gate_check_life(const TgSpeaker *asker)
{
	if (tg_accepted_claim(asker->node, asker->incarnation, tg_monotonic_ms()) == TG_CLAIM_REFUSED)
		tg_gate_refuse_copy(asker->node);
}

/*
 * Errors out unless this asker may have an answer: ERRCODE_TG_FENCED if it is
 * not in the view, in another of this epoch, or another than it says,
 * ERRCODE_TG_STALE_EPOCH if it should ask again in a moment,
 * ERRCODE_TG_UNKNOWN_PEER if it never was a member.
 */
void
tg_gate_check(const TgSpeaker *asker)
{
	/* of a newer view than ours we cannot tell who is in it */
	if (asker->epoch > tg_epoch_current())
		check_epoch(asker);
	check_member(asker->node);
	check_epoch(asker);

	switch (tg_accepted_claim(asker->node, asker->incarnation, tg_monotonic_ms()))
	{
		case TG_CLAIM_GOOD:
			break;
		case TG_CLAIM_REFUSED:
			tg_gate_refuse_copy(asker->node);
		case TG_CLAIM_NEW:
		case TG_CLAIM_OPEN:
			ereport(ERROR,
					(errcode(ERRCODE_TG_STALE_EPOCH),
					 errmsg("node %d has been started again, and has not answered a heartbeat since", asker->node)));
	}
}

/*
 * What was asked for in a view, and so answered, may be committed only in it.
 * Errors out with ERRCODE_TG_STALE_EPOCH if there is a newer one by now.
 */
void
tg_gate_require_current(const TgSpeaker *sender)
{
	if (sender->epoch != tg_epoch_current() || sender->view_id != tg_epoch_id().view_id)
		ereport(ERROR,
				(errcode(ERRCODE_TG_STALE_EPOCH),
				 errmsg("there is a newer view of the cluster than when the peer was asked"),
				 errdetail("It will be asked again.")));
}

static emit_log_hook_type next_emit_log = NULL;

/*
 * Each change of the view meets requests that are under way, and they are made
 * anew.  The view is logged, topgun.stat_peer has the rest.
 */
static void
keep_out_of_log(ErrorData *error)
{
	if (error->elevel == ERROR && error->sqlerrcode == ERRCODE_TG_STALE_EPOCH &&
		log_min_messages > DEBUG1)
		error->output_to_server = false;
	if (error->output_to_server && next_emit_log != NULL)
		next_emit_log(error);
}

/*
 * Leave what is ordinary out of the server's log.  Call once, from _PG_init().
 */
void
tg_gate_install(void)
{
	next_emit_log = emit_log_hook;
	emit_log_hook = keep_out_of_log;
}
