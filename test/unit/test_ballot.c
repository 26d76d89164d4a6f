/*-------------------------------------------------------------------------
 *
 * test/unit/test_ballot.c
 *	  Ballots: proposers and voters that crash, messages that are late, lost or
 *	  repeated, and never two values.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/ballot.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_ballot);

#define MAX_NODES		5
#define MAX_MESSAGES	64
#define STEPS			120

typedef enum MessageKind
{
	ASK, PROMISE, PROPOSE, VOTE, REFUSE
} MessageKind;

typedef struct Message
{
	MessageKind kind;
	TgNodeId	from;
	TgNodeId	to;
	TgBallot	ballot;
	TgBallot	accepted;		/* of a promise; of a refusal what was
								 * promised */
	TgBytes		value;
} Message;

/* A node: its voter survives a crash, what it runs does not. */
typedef struct Player
{
	TgVoter		voter;
	bool		is_running;
	bool		has_chosen;
	TgBallot	seen;
	TgTally		tally;
} Player;

typedef struct World
{
	int			nnodes;
	TgNodeId	ids[MAX_NODES];
	Player		nodes[MAX_NODES + 1];
	Message		messages[MAX_MESSAGES];
	int			nmessages;
	uint8		votes[STEPS + 2][MAX_NODES + 1];	/* by ballot: bits of
													 * nodes */
	TgBytes		decided;
	int			ndecisions;
} World;

static World world;

static const TgBallot no_ballot = {0, 0};

/* Values are told apart by where they lie. */
static const char values[STEPS + 1] = {0};

static TgBytes
nothing(void)
{
	return tg_bytes(NULL, 0);
}

static void
send_message(Message message)
{
	int			place = world.nmessages < MAX_MESSAGES ? world.nmessages++ : unit_below(MAX_MESSAGES);

	world.messages[place] = message;
}

static void
send_to_all(Player *node, TgNodeId self, MessageKind kind, TgBytes value)
{
	for (TgNodeId to = 1; to <= world.nnodes; to++)
	{
		Message		message = {kind, self, to, node->tally.ballot, no_ballot, value};

		send_message(message);
	}
}

/*
 * A vote that is given counts, whether anybody hears of it or not, and whether
 * the voter has given another one since.
 */
static void
note_vote(TgNodeId node, TgBallot ballot, TgBytes value)
{
	uint8	   *votes = &world.votes[ballot.attempt][ballot.proposer];

	*votes |= 1 << node;
	if (pg_number_of_ones[*votes] < tg_majority_of(world.nnodes))
		return;
	CHECK(world.decided.data == NULL || world.decided.data == value.data);
	world.decided = value;
}

static void
begin_attempt(TgNodeId self)
{
	Player	   *node = &world.nodes[self];
	TgBallot	seen = tg_ballot_compare(node->seen, node->voter.promised) > 0 ? node->seen : node->voter.promised;
	TgBallot	ballot = tg_ballot_next(seen, self);

	CHECK(tg_ballot_compare(ballot, seen) > 0);
	CHECK(tg_voter_promise(&node->voter, ballot));
	node->is_running = true;
	node->has_chosen = false;
	tg_tally_begin(&node->tally, ballot, world.ids, world.nnodes);
	tg_tally_add_promise(&node->tally, self, node->voter.accepted, node->voter.value);
	send_to_all(node, self, ASK, nothing());
}

static void
answer_ask(const Message *message)
{
	Player	   *node = &world.nodes[message->to];
	TgVoter		before = node->voter;
	Message		answer = {.from = message->to,.to = message->from,.ballot = message->ballot};
	bool		promised = tg_voter_promise(&node->voter, message->ballot);

	CHECK(promised == (tg_ballot_compare(message->ballot, before.promised) >= 0));
	CHECK(tg_ballot_compare(node->voter.promised, before.promised) >= 0);
	CHECK(node->voter.value.data == before.value.data);
	answer.kind = promised ? PROMISE : REFUSE;
	answer.accepted = promised ? node->voter.accepted : node->voter.promised;
	answer.value = node->voter.value;
	send_message(answer);
}

static void
answer_proposal(const Message *message)
{
	Player	   *node = &world.nodes[message->to];
	Message		answer = {VOTE, message->to, message->from, message->ballot, no_ballot, nothing()};

	if (!tg_voter_accept(&node->voter, message->ballot, message->value))
		return;
	note_vote(message->to, message->ballot, message->value);
	send_message(answer);
}

static void
take_answer(const Message *message, int step)
{
	Player	   *node = &world.nodes[message->to];
	TgTally    *tally = &node->tally;

	if (message->kind == REFUSE && tg_ballot_compare(message->accepted, node->seen) > 0)
		node->seen = message->accepted;
	if (!node->is_running || tg_ballot_compare(message->ballot, tally->ballot) != 0)
		return;
	if (message->kind == PROMISE && !node->has_chosen)
	{
		tg_tally_add_promise(tally, message->from, message->accepted, message->value);
		if (tg_tally_is_promised(tally))
		{
			node->has_chosen = true;
			send_to_all(node, message->to, PROPOSE, tg_tally_value(tally, tg_bytes(&values[step], 1)));
		}
	}
	if (message->kind == VOTE)
	{
		tg_tally_add_vote(tally, message->from);
		if (tg_tally_is_decided(tally))
		{
			CHECK(world.decided.data != NULL);
			world.ndecisions++;
		}
	}
}

/*
 * A message arrives, and may arrive again.
 */
static void
deliver(int step)
{
	int			place = unit_below(world.nmessages);
	Message		message = world.messages[place];

	if (!unit_one_in(8))
		world.messages[place] = world.messages[--world.nmessages];
	if (unit_one_in(10))
		return;					/* or it is lost */
	switch (message.kind)
	{
		case ASK:
			answer_ask(&message);
			break;
		case PROPOSE:
			answer_proposal(&message);
			break;
		default:
			take_answer(&message, step);
	}
}

static void
play_history(void)
{
	memset(&world, 0, sizeof(world));
	world.nnodes = 3 + unit_below(MAX_NODES - 2);
	for (int i = 0; i < world.nnodes; i++)
		world.ids[i] = i + 1;
	for (int step = 0; step < STEPS; step++)
	{
		TgNodeId	node = 1 + unit_below(world.nnodes);

		if (world.nmessages == 0 || unit_one_in(25))
			begin_attempt(node);
		else if (unit_one_in(25))
			world.nodes[node].is_running = false;	/* a crash */
		else
			deliver(step);
	}
}

static void
check_compare(void)
{
	TgBallot	a = {unit_below(3), 1 + unit_below(3)};
	TgBallot	b = {unit_below(3), 1 + unit_below(3)};

	CHECK((tg_ballot_compare(a, b) == 0) == (a.attempt == b.attempt && a.proposer == b.proposer));
	CHECK((tg_ballot_compare(a, b) < 0) == (tg_ballot_compare(b, a) > 0));
	CHECK(tg_ballot_compare(tg_ballot_next(a, b.proposer), a) > 0);
	CHECK((tg_ballot_pack(a) < tg_ballot_pack(b)) == (tg_ballot_compare(a, b) < 0));
	CHECK(tg_ballot_compare(tg_ballot_unpack(tg_ballot_pack(a)), a) == 0);
}

static void
check_majority(void)
{
	for (int n = 1; n <= TG_MAX_VOTERS; n++)
	{
		CHECK(2 * tg_majority_of(n) > n);
		CHECK(2 * (tg_majority_of(n) - 1) <= n);
	}
}

/*
 * Whoever is no voter does not count, nor does one that says it twice.
 */
static void
check_strangers(void)
{
	const TgNodeId voters[] = {1, 2, 3};
	TgBallot	ballot = {1, 1};
	TgTally		tally;

	tg_tally_begin(&tally, ballot, voters, lengthof(voters));
	tg_tally_add_promise(&tally, 1, no_ballot, nothing());
	tg_tally_add_promise(&tally, 1, no_ballot, nothing());
	tg_tally_add_promise(&tally, 9, no_ballot, nothing());
	CHECK(!tg_tally_is_promised(&tally));
	tg_tally_add_promise(&tally, 3, no_ballot, nothing());
	CHECK(tg_tally_is_promised(&tally));
	tg_tally_add_vote(&tally, 2);
	tg_tally_add_vote(&tally, 2);
	tg_tally_add_vote(&tally, 7);
	CHECK(!tg_tally_is_decided(&tally));
	tg_tally_add_vote(&tally, 1);
	CHECK(tg_tally_is_decided(&tally));
}

/*
 * The suite.
 */
Datum
test_ballot(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);
	int			ndecided = 0;
	int			nhistories = Max(rounds / 50, 100);

	check_majority();
	check_strangers();
	for (int i = 0; i < nhistories; i++)
	{
		CHECK_FOR_INTERRUPTS();
		check_compare();
		play_history();
		ndecided += world.ndecisions > 0;
	}
	/* else the histories show nothing */
	CHECK(ndecided > nhistories / 4);
	PG_RETURN_VOID();
}
