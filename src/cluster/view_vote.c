/*-------------------------------------------------------------------------
 *
 * src/cluster/view_vote.c
 *	  What a node answers to those that propose or tell views.
 *
 * Views that come were decided: a proposer sends the one it starts from, and
 * members tell each other the newest.  So whoever is behind takes it over,
 * whatever steps he has missed.  Only a view of a line that has parted from
 * ours, since an operator has forced one on either side, is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/guc.h"
#include "clock/identity.h"
#include "cluster/detector.h"
#include "cluster/view_vote.h"
#include "transport/gate.h"
#include "utils/snapmgr.h"

static void
refuse_foreign(const TgView *theirs, const TgView *ours)
{
	ereport(ERROR,
			(errcode(ERRCODE_TG_FENCED),
			 errmsg("the members disagree since a view was forced"),
			 errdetail("One side is in epoch %llu, decided by node %d, the other in epoch %llu, decided by node %d.",
					   (unsigned long long) theirs->epoch, theirs->proposer,
					   (unsigned long long) ours->epoch, ours->proposer),
			 errhint("Use topgun.rejoin() on the nodes of one side.")));
}

/*
 * A view that has come as bytes.  Errors out if they are none.
 */
TgView *
tg_view_require(TgBytes bytes)
{
	TgView	   *view = palloc(sizeof(TgView));
	TgReader	reader;

	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_view_read(&reader, view))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the message has no view of this version of topgun")));
	return view;
}

/*
 * Take over a view of which we hear, in the caller's transaction, if it is
 * newer than ours; NULL: there is none to hear of.  Returns the newest.  Errors
 * out with ERRCODE_TG_FENCED if it is of another line.
 */
TgView *
tg_view_learn(const TgView *view)
{
	TgView	   *ours = tg_view_current();
	TgVoteState votes;

	if (ours != NULL && (view == NULL || tg_view_order(view, ours) == TG_VIEW_SAME))
		return ours;

	ours = tg_view_lock(&votes);
	if (view == NULL)
		return ours;
	switch (tg_view_order(view, ours))
	{
		case TG_VIEW_NEWER:
			tg_view_install(view);
			return tg_view_copy(view);
		case TG_VIEW_FOREIGN:
			refuse_foreign(view, ours);
			break;
		default:
			break;
	}
	return ours;
}

/*
 * A node has joined by way of the member at the other end of the link: take
 * over its view as our first one, in the caller's transaction.
 */
void
tg_view_adopt(TgLink *link)
{
	tg_link_send(link, "SELECT topgun_internal.view()", 0, NULL);
	tg_view_install_first(tg_view_require(tg_link_receive(link, tg_connect_timeout_ms)));
}

/*
 * The id of a new view.
 */
uint64
tg_view_random_id(void)
{
	uint64		id;

	if (!pg_strong_random(&id, sizeof(id)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	return id;
}

/*
 * The votes of this node, as rules see them.
 */
TgVoter
tg_voter_from(const TgVoteState *votes)
{
	TgVoter		voter = {
		.promised = tg_ballot_unpack(votes->promised),
		.accepted = tg_ballot_unpack(votes->accepted),
		.value = votes->value
	};

	return voter;
}

/*
 * Store them, after tg_view_lock().
 */
void
tg_voter_save(const TgVoter *voter)
{
	TgVoteState votes = {
		.promised = tg_ballot_pack(voter->promised),
		.accepted = tg_ballot_pack(voter->accepted),
		.value = voter->value
	};

	tg_view_save_votes(&votes);
}

static void
require_voter(const TgView *view)
{
	if (!tg_view_has(view, tg_node_id_required()))
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("node %d is not in the view of epoch %llu",
						tg_node_id_required(), (unsigned long long) view->epoch)));
}

static TgVoteStatus
vote(const TgVoteRequest *request, TgVoter *voter)
{
	TgBallot	ballot = tg_ballot_unpack(request->ballot);
	bool		given;

	if (request->kind == TG_MESSAGE_PROMISE)
	{
		if (request->suspect != 0 && !tg_detector_suspects(request->suspect))
			return TG_VOTE_UNSUSPECTED;
		given = tg_voter_promise(voter, ballot);
	}
	else
		given = tg_voter_accept(voter, ballot, request->value);
	if (!given)
		return TG_VOTE_OUTBID;
	tg_voter_save(voter);
	return TG_VOTE_GIVEN;
}

/*
 * Answer a proposer.  What is promised or voted is durable when the
 * transaction has ended, which is before the answer counts.
 */
StringInfo
tg_vote_answer(const TgVoteRequest *request)
{
	TgView	   *base = tg_view_require(request->base);
	StringInfo	buf = makeStringInfo();
	TgVoteState votes;
	TgVoteAnswer answer = {.sender = tg_node_id_required()};
	TgVoter		voter;
	TgView	   *ours;

	if (request->kind == TG_MESSAGE_ACCEPT)
		(void) tg_view_require(request->value);
	(void) tg_view_learn(base);
	ours = tg_view_lock(&votes);
	require_voter(ours);
	tg_gate_check_life(&request->asker);

	voter = tg_voter_from(&votes);
	if (tg_view_order(base, ours) == TG_VIEW_SAME)
		answer.status = vote(request, &voter);
	else
	{
		answer.status = TG_VOTE_STALE;
		answer.view = tg_view_bytes(ours);
	}
	answer.promised = tg_ballot_pack(voter.promised);
	answer.accepted = tg_ballot_pack(voter.accepted);
	answer.value = voter.value;
	tg_vote_write_answer(buf, &answer);
	return buf;
}

/*
 * Tell a node our view and take over its own, if that is newer.  Runs outside
 * of a transaction; no request may be under way on the link.  Errors out with
 * ERRCODE_TG_FENCED if the two are of different lines.
 */
void
tg_view_exchange(TgLink *link)
{
	MemoryContext caller = CurrentMemoryContext;
	TgBytes		ours;
	TgBytes		theirs;
	TgLinkParam param = {.is_binary = true};
	TgView	   *view;

	Assert(!IsTransactionState());

	StartTransactionCommand();
	view = tg_view_learn(NULL);
	MemoryContextSwitchTo(caller);
	ours = tg_view_bytes(view);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);

	param.data = ours.data;
	param.len = ours.len;
	tg_link_send(link, "SELECT topgun_internal.view_learn($1)", 1, &param);
	theirs = tg_link_receive(link, tg_connect_timeout_ms);
	view = tg_view_require(theirs);

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	(void) tg_view_learn(view);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
}
