/*-------------------------------------------------------------------------
 *
 * test/unit/test_view.c
 *	  Views: members in order, the order of views, and the bytes of views and
 *	  votes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "transport/view.h"
#include "transport/vote.h"
#include "unit.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(test_view);

static char *
random_text(uint32 min_len)
{
	uint32		len = min_len + unit_below(20);
	char	   *letters = palloc(len + 1);

	for (uint32 i = 0; i < len; i++)
		letters[i] = 'a' + unit_below(26);
	letters[len] = '\0';
	return letters;
}

static TgViewMember
random_member(TgEpoch epoch)
{
	TgViewMember member = {
		.node = unit_node(),
		.since = unit_below(epoch + 1),
		.name = random_text(1),
		.dsn = random_text(0)
	};

	return member;
}

static TgView *
random_view(void)
{
	TgView	   *view = palloc0(sizeof(TgView));
	int			nmembers = unit_one_in(10) ? TG_MAX_MEMBERS : 1 + unit_below(6);

	view->epoch = 1 + unit_edgy(PG_INT64_MAX - 1);
	view->id = unit_edgy(PG_UINT64_MAX);
	view->forked_at = unit_below(view->epoch);
	view->fork_id = unit_edgy(PG_UINT64_MAX);
	view->next_node = 1 + unit_below(TG_MAX_NODE + 1);
	view->proposer = unit_node();
	view->at = (TimestampTz) unit_edgy(PG_INT64_MAX);
	view->reason = unit_below(TG_VIEW_REJOIN + 1);
	view->subject = random_text(0);
	for (int i = 0; i < nmembers; i++)
	{
		TgViewMember member = random_member(view->epoch);

		tg_view_add(view, &member);
	}
	return view;
}

/*
 * Members are in order, there is one of each, and no id is given twice.
 */
static void
check_members(void)
{
	TgView	   *view = palloc0(sizeof(TgView));
	bool		model[TG_MAX_NODE + 1] = {false};
	int			n = 0;

	for (int i = 0; i < 60; i++)
	{
		TgViewMember member = random_member(5);

		member.node = 1 + unit_below(40);
		if (unit_one_in(3))
		{
			tg_view_remove(view, member.node);
			model[member.node] = false;
		}
		else
		{
			tg_view_add(view, &member);
			model[member.node] = true;
			CHECK(strcmp(tg_view_find(view, member.node)->name, member.name) == 0);
		}
	}
	for (TgNodeId node = 1; node <= TG_MAX_NODE; node++)
	{
		CHECK(tg_view_has(view, node) == model[node]);
		CHECK(!model[node] || node < view->next_node);
		n += model[node];
	}
	CHECK(n == view->nmembers);
	for (int i = 1; i < n; i++)
		CHECK(view->members[i - 1].node < view->members[i].node);
}

static TgView
view_at(TgEpoch epoch, uint64 id, TgEpoch forked_at, uint64 fork_id)
{
	TgView		view = {.epoch = epoch,.id = id,.forked_at = forked_at,.fork_id = fork_id};

	return view;
}

/*
 * Two nodes, each of which has forced the other out: their lines have parted,
 * also for the views that follow.  Who knew only what was before, follows
 * either.
 */
static void
check_order(void)
{
	TgView		before = view_at(5, 50, 0, 0);
	TgView		ours = view_at(6, 61, 6, 61);
	TgView		theirs = view_at(6, 62, 6, 62);
	TgView		after_ours = view_at(7, 71, 6, 61);
	TgView		voted = view_at(6, 63, 0, 0);
	TgView		later_fork = view_at(9, 91, 9, 91);

	CHECK(tg_view_order(&before, &before) == TG_VIEW_SAME);
	CHECK(tg_view_order(&ours, &before) == TG_VIEW_NEWER);
	CHECK(tg_view_order(&before, &ours) == TG_VIEW_OLDER);
	CHECK(tg_view_order(&after_ours, &before) == TG_VIEW_NEWER);
	CHECK(tg_view_order(&after_ours, &ours) == TG_VIEW_NEWER);
	CHECK(tg_view_order(&theirs, &ours) == TG_VIEW_FOREIGN);
	CHECK(tg_view_order(&after_ours, &theirs) == TG_VIEW_FOREIGN);
	CHECK(tg_view_order(&theirs, &after_ours) == TG_VIEW_FOREIGN);
	CHECK(tg_view_order(&voted, &ours) == TG_VIEW_FOREIGN);
	CHECK(tg_view_order(&after_ours, &voted) == TG_VIEW_FOREIGN);
	CHECK(tg_view_order(&later_fork, &after_ours) == TG_VIEW_NEWER);
}

static void
make_view(StringInfo buf)
{
	tg_view_write(buf, random_view());
}

static bool
copy_view(TgReader *reader, StringInfo out)
{
	TgView		view;

	if (!tg_view_read(reader, &view))
		return false;
	CHECK(view.nmembers >= 1 && view.nmembers <= TG_MAX_MEMBERS);
	tg_view_write(out, &view);
	return true;
}

static void
make_request_of(StringInfo buf, TgMessageKind kind)
{
	TgVoteRequest request = {
		.kind = kind,
		.asker = unit_speaker(),
		.ballot = 1 + unit_edgy(PG_UINT64_MAX - 1),
		.suspect = unit_below(3),
		.base = unit_bytes(1, 60),
		.value = unit_bytes(1, 60)
	};

	tg_vote_write_request(buf, &request);
}

static void
make_promise(StringInfo buf)
{
	make_request_of(buf, TG_MESSAGE_PROMISE);
}

static void
make_accept(StringInfo buf)
{
	make_request_of(buf, TG_MESSAGE_ACCEPT);
}

static bool
copy_promise(TgReader *reader, StringInfo out)
{
	TgVoteRequest request;

	if (!tg_vote_read_request(reader, TG_MESSAGE_PROMISE, &request))
		return false;
	tg_vote_write_request(out, &request);
	return true;
}

static bool
copy_accept(TgReader *reader, StringInfo out)
{
	TgVoteRequest request;

	if (!tg_vote_read_request(reader, TG_MESSAGE_ACCEPT, &request))
		return false;
	tg_vote_write_request(out, &request);
	return true;
}

static void
make_answer(StringInfo buf)
{
	TgVoteAnswer answer = {
		.sender = unit_node(),
		.status = unit_below(TG_VOTE_UNSUSPECTED + 1),
		.promised = unit_edgy(PG_UINT64_MAX)
	};

	if (answer.status == TG_VOTE_STALE)
		answer.view = unit_bytes(1, 60);
	if (unit_one_in(2))
	{
		answer.accepted = 1 + unit_edgy(PG_UINT64_MAX - 1);
		answer.value = unit_bytes(1, 60);
	}
	tg_vote_write_answer(buf, &answer);
}

static bool
copy_answer(TgReader *reader, StringInfo out)
{
	TgVoteAnswer answer;

	if (!tg_vote_read_answer(reader, &answer))
		return false;
	tg_vote_write_answer(out, &answer);
	return true;
}

static const UnitCodec codecs[] = {
	{"view", make_view, copy_view},
	{"promise", make_promise, copy_promise},
	{"accept", make_accept, copy_accept},
	{"vote answer", make_answer, copy_answer},
};

/*
 * The suite.
 */
Datum
test_view(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "view rounds",
												  ALLOCSET_DEFAULT_SIZES);

	check_order();
	for (int i = 0; i < rounds / 500; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		check_members();
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	for (int i = 0; i < lengthof(codecs); i++)
		unit_check_codec(&codecs[i], rounds / 2000);
	PG_RETURN_VOID();
}
