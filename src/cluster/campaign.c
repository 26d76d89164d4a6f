/*-------------------------------------------------------------------------
 *
 * src/cluster/campaign.c
 *	  One attempt to have a view decided.
 *
 * The proposer's end of cluster/ballot.c: it asks the members of the view one
 * after the other, those first that are there, and stops when a majority has
 * answered.  Its own vote is one of them, and durable before it counts.  What a
 * member does not answer, or refuses for a reason of its own, is remembered
 * for the report.
 *
 * Runs outside of transactions, each step at home is one of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/guc.h"
#include "clock/identity.h"
#include "cluster/ballot.h"
#include "cluster/campaign.h"
#include "cluster/phantom.h"
#include "cluster/view_vote.h"
#include "miscadmin.h"
#include "transport/gate.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/vote.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

StaticAssertDecl(TG_MAX_VOTERS == TG_MAX_MEMBERS, "every member votes");

/* Another member, as this proposer sees it. */
typedef struct Voter
{
	TgNodeId	node;
	char	   *name;
	char	   *dsn;
	bool		is_there;		/* as far as we know */
	bool		is_subject;		/* it is about this one: ask it last */
	TgLink	   *link;			/* NULL: none, or broken */
	MemoryContext context;		/* of the link */
	char	   *failure;		/* why it has not voted; NULL: it has */
} Voter;

struct TgCampaign
{
	MemoryContext context;
	const TgView *base;
	TgBytes		base_bytes;
	TgNodeId	self;
	TgSpeaker	speaker;		/* we, as voters know us */
	TgNodeId	suspect;
	int			nvoters;
	Voter		voters[TG_MAX_MEMBERS];
	TgTally		tally;
	uint64		outbid_by;		/* the highest ballot we have heard of */
	TgView	   *newer;			/* a newer view, if somebody has one */
};

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

static int
compare_voters(const void *left, const void *right)
{
	const Voter *a = left;
	const Voter *b = right;

	if (a->is_subject != b->is_subject)
		return a->is_subject ? 1 : -1;
	if (a->is_there != b->is_there)
		return a->is_there ? -1 : 1;
	return (int) a->node - (int) b->node;
}

static void
add_voter(TgCampaign *campaign, const TgMember *member)
{
	TgPeer		peer;

	campaign->voters[campaign->nvoters++] = (Voter)
	{
		.node = member->node,
			.name = pstrdup(member->name),
			.dsn = pstrdup(member->dsn),
			.is_there = tg_peer_get(member->node, &peer) && peer.state == TG_PEER_STREAMING,
			.is_subject = member->node == campaign->suspect,
			.context = AllocSetContextCreate(campaign->context, "topgun voter", ALLOCSET_SMALL_SIZES),
			.failure = "it was not asked"
	};
}

static void
find_voters(TgCampaign *campaign)
{
	ListCell   *lc;

	begin();
	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->node != campaign->self && tg_view_has(campaign->base, member->node))
			add_voter(campaign, member);
	}
	commit();
	qsort(campaign->voters, campaign->nvoters, sizeof(Voter), compare_voters);
}

/*
 * Prepare to have the successor of a view decided.  If it is about a node that
 * seems to have failed, voters have to agree with that.  Ends with
 * tg_campaign_end().
 */
TgCampaign *
tg_campaign_begin(const TgView *base, TgNodeId suspect)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun campaign",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgCampaign *campaign = palloc0(sizeof(TgCampaign));

	campaign->context = context;
	campaign->base = base;
	campaign->base_bytes = tg_view_bytes(base);
	campaign->speaker = tg_speaker_self();
	campaign->self = campaign->speaker.node;
	campaign->suspect = suspect;
	find_voters(campaign);
	MemoryContextSwitchTo(old);
	return campaign;
}

/*
 * Done with it; closes the links.
 */
void
tg_campaign_end(TgCampaign *campaign)
{
	MemoryContextDelete(campaign->context);
}

static void
open_link(Voter *voter)
{
	MemoryContext old = MemoryContextSwitchTo(voter->context);

	voter->link = tg_link_open(voter->dsn, voter->name);
	MemoryContextSwitchTo(old);
}

/* What is asked of a voter, with its answer. */
typedef struct Question
{
	const char *sql;
	TgBytes		request;
	TgBytes		answer;
} Question;

static void
ask(Voter *voter, Question *question)
{
	TgLinkParam param = {question->request.data, question->request.len, true};

	if (voter->link == NULL)
		open_link(voter);
	tg_link_send(voter->link, question->sql, 1, &param);
	question->answer = tg_link_receive(voter->link, tg_connect_timeout_ms);
}

/*
 * Ask a voter.  If that fails, for whatever reason, it has not answered, and
 * the reason is kept.
 */
static bool
try_ask(TgCampaign *campaign, Voter *voter, Question *question)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool is_answered = true;

	PG_TRY();
	{
		ask(voter, question);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(campaign->context);
		error = CopyErrorData();
		FlushErrorState();
		voter->failure = error->detail == NULL ? error->message :
			psprintf("%s: %s", error->message, error->detail);
		MemoryContextReset(voter->context);
		voter->link = NULL;
		is_answered = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return is_answered;
}

static void
take_refusal(TgCampaign *campaign, Voter *voter, const TgVoteAnswer *answer)
{
	switch (answer->status)
	{
		case TG_VOTE_OUTBID:
			voter->failure = "it has promised to vote for another proposer";
			campaign->outbid_by = Max(campaign->outbid_by, answer->promised);
			break;
		case TG_VOTE_UNSUSPECTED:
			voter->failure = "it does not agree that the node has failed";
			break;
		case TG_VOTE_STALE:
			voter->failure = "it knows a newer view";
			campaign->newer = tg_view_require(answer->view);
			break;
		case TG_VOTE_GIVEN:
			break;
	}
}

/*
 * Ask a voter for its promise or its vote.  True if it has given it; then the
 * answer lies in the memory of the campaign.
 */
static bool
win(TgCampaign *campaign, Voter *voter, const TgVoteRequest *request, TgVoteAnswer *answer)
{
	StringInfoData buf;
	TgReader	reader;
	Question	question = {
		.sql = request->kind == TG_MESSAGE_PROMISE ?
		"SELECT topgun_internal.view_promise($1)" : "SELECT topgun_internal.view_accept($1)"
	};

	initStringInfo(&buf);
	tg_vote_write_request(&buf, request);
	question.request = tg_bytes_of_buf(&buf);
	if (!try_ask(campaign, voter, &question))
		return false;

	/* it lies with the link until the next question */
	question.answer.data = memcpy(palloc(question.answer.len + 1), question.answer.data, question.answer.len);
	tg_reader_init(&reader, question.answer.data, question.answer.len);
	if (!tg_vote_read_answer(&reader, answer) || answer->sender != voter->node)
	{
		voter->failure = "its answer is not one of this node and version of topgun";
		return false;
	}
	if (answer->status == TG_VOTE_GIVEN)
		return true;
	take_refusal(campaign, voter, answer);
	return false;
}

/*
 * The votes of this node itself, locked; false if it has a newer view by now.
 * Needs a transaction.
 */
static bool
lock_own(TgCampaign *campaign, TgVoter *voter)
{
	MemoryContext old = MemoryContextSwitchTo(campaign->context);
	TgVoteState votes;
	TgView	   *view = tg_view_lock(&votes);
	bool		is_base = tg_view_order(view, campaign->base) == TG_VIEW_SAME;

	if (is_base)
		*voter = tg_voter_from(&votes);
	else
		campaign->newer = view;
	MemoryContextSwitchTo(old);
	return is_base;
}

/*
 * Begin a ballot that is higher than all we have heard of, with a promise to
 * ourselves, so that it will not be used again.
 */
static bool
promise_own(TgCampaign *campaign)
{
	TgNodeId	ids[TG_MAX_VOTERS];
	TgNodeId	phantom = tg_phantom_of_two(campaign->base, campaign->self);
	int			nids = 0;
	TgVoter		voter;
	bool		is_base;

	begin();
	is_base = lock_own(campaign, &voter);
	if (is_base)
	{
		uint64		seen = Max(campaign->outbid_by, tg_ballot_pack(voter.promised));
		TgBallot	ballot = tg_ballot_next(tg_ballot_unpack(seen), campaign->self);

		for (int i = 0; i < campaign->base->nmembers; i++)
			if (campaign->base->members[i].node != phantom)
				ids[nids++] = campaign->base->members[i].node;
		tg_tally_begin(&campaign->tally, ballot, ids, nids);
		(void) tg_voter_promise(&voter, ballot);
		tg_tally_add_promise(&campaign->tally, campaign->self, voter.accepted, voter.value);
		tg_voter_save(&voter);
	}
	commit();
	return is_base;
}

static bool
accept_own(TgCampaign *campaign, TgBytes value)
{
	TgVoter		voter = {.value = {NULL, 0}};
	bool		is_accepted;

	begin();
	is_accepted = lock_own(campaign, &voter) &&
		tg_voter_accept(&voter, campaign->tally.ballot, value);
	if (is_accepted)
		tg_voter_save(&voter);
	else
		campaign->outbid_by = Max(campaign->outbid_by, tg_ballot_pack(voter.promised));
	commit();
	if (is_accepted)
		tg_tally_add_vote(&campaign->tally, campaign->self);
	return is_accepted;
}

static void
collect_promises(TgCampaign *campaign)
{
	TgVoteRequest request = {
		.kind = TG_MESSAGE_PROMISE,
		.asker = campaign->speaker,
		.ballot = tg_ballot_pack(campaign->tally.ballot),
		.suspect = campaign->suspect,
		.base = campaign->base_bytes
	};

	for (int i = 0; i < campaign->nvoters && !tg_tally_is_promised(&campaign->tally); i++)
	{
		Voter	   *voter = &campaign->voters[i];
		TgVoteAnswer answer;

		if (win(campaign, voter, &request, &answer))
			tg_tally_add_promise(&campaign->tally, voter->node,
								 tg_ballot_unpack(answer.accepted), answer.value);
	}
}

static void
collect_votes(TgCampaign *campaign, TgBytes value)
{
	TgVoteRequest request = {
		.kind = TG_MESSAGE_ACCEPT,
		.asker = campaign->speaker,
		.ballot = tg_ballot_pack(campaign->tally.ballot),
		.base = campaign->base_bytes,
		.value = value
	};

	for (int i = 0; i < campaign->nvoters && !tg_tally_is_decided(&campaign->tally); i++)
	{
		Voter	   *voter = &campaign->voters[i];
		TgVoteAnswer answer;

		if (!win(campaign, voter, &request, &answer))
			continue;
		voter->failure = NULL;
		tg_tally_add_vote(&campaign->tally, voter->node);
	}
}

static TgOutcome
outcome_of_failure(const TgCampaign *campaign, TgView **view)
{
	*view = campaign->newer;
	if (campaign->newer != NULL)
		return TG_OUTCOME_STALE;
	return campaign->outbid_by != 0 ? TG_OUTCOME_OUTBID : TG_OUTCOME_SHORT;
}

/*
 * Try to have a view decided that follows the base.  If another one may be
 * decided already, that one is seen through.  "view" is the one that has been
 * decided, or the newer one that there is; it lives as long as the campaign.
 */
TgOutcome
tg_campaign_run(TgCampaign *campaign, const TgView *own, TgView **view)
{
	MemoryContext old = MemoryContextSwitchTo(campaign->context);
	TgOutcome	outcome = TG_OUTCOME_DECIDED;
	TgBytes		value;

	campaign->newer = NULL;
	if (promise_own(campaign))
	{
		campaign->outbid_by = 0;
		collect_promises(campaign);
	}
	if (campaign->newer != NULL || !tg_tally_is_promised(&campaign->tally))
		outcome = outcome_of_failure(campaign, view);
	else
	{
		value = tg_tally_value(&campaign->tally, tg_view_bytes(own));
		TG_FAILPOINT("view-before-vote");
		if (accept_own(campaign, value))
			collect_votes(campaign, value);
		TG_FAILPOINT("view-before-decision");
		if (tg_tally_is_decided(&campaign->tally))
			*view = tg_view_require(value);
		else
			outcome = outcome_of_failure(campaign, view);
	}
	MemoryContextSwitchTo(old);
	return outcome;
}

/*
 * Tell all members of the view before that are there of the new one.  Who does
 * not hear of it now, will when it connects to one that has.
 */
void
tg_campaign_tell(TgCampaign *campaign, const TgView *view)
{
	MemoryContext old = MemoryContextSwitchTo(campaign->context);
	Question	question = {
		.sql = "SELECT topgun_internal.view_learn($1)",
		.request = tg_view_bytes(view)
	};

	for (int i = 0; i < campaign->nvoters; i++)
	{
		Voter	   *voter = &campaign->voters[i];

		if (voter->link != NULL || voter->is_there)
			(void) try_ask(campaign, voter, &question);
	}
	MemoryContextSwitchTo(old);
}

/*
 * Who has not voted, and why, as lines of text.
 */
const char *
tg_campaign_report(const TgCampaign *campaign)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < campaign->nvoters; i++)
	{
		const Voter *voter = &campaign->voters[i];

		if (voter->failure != NULL)
			appendStringInfo(&buf, "%snode \"%s\": %s", buf.len > 0 ? "\n" : "",
							 voter->name, voter->failure);
	}
	return buf.data;
}
