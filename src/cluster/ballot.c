/*-------------------------------------------------------------------------
 *
 * src/cluster/ballot.c
 *	  Deciding one value among some voters.  Pure.
 *
 * L. Lamport, "Paxos Made Simple" (2001).  A proposer asks the voters for a
 * promise to take part in no lower ballot; they say what they have accepted
 * last.  With promises of a majority it proposes the value of the highest
 * ballot among these, or its own if there is none, and the voters accept it
 * unless they have promised a higher ballot meanwhile.  What a majority has
 * accepted in one ballot is decided: whoever proposes later meets one of them
 * and takes the value over.
 *
 * The rule that a voter gives one vote and never another would be simpler, but
 * then a proposer that dies leaves votes that nobody can use, and no way on.
 * Letting these voters vote for the next epoch instead gives two views with a
 * majority each: test/model/view.pml shows how.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/ballot.h"

#define NODE_BITS		10

/*
 * Less than, equal to or greater than 0, as a is to b.
 */
int
tg_ballot_compare(TgBallot a, TgBallot b)
{
	if (a.attempt != b.attempt)
		return a.attempt < b.attempt ? -1 : 1;
	return (int) a.proposer - (int) b.proposer;
}

/*
 * A ballot of this proposer that is higher than the one it has seen.  What its
 * own voter has promised must be among what it has seen, or it could use a
 * ballot twice.
 */
TgBallot
tg_ballot_next(TgBallot seen, TgNodeId proposer)
{
	TgBallot	next = {seen.attempt + 1, proposer};

	return next;
}

/*
 * A ballot as a number; the order is the same, and 0 is none.
 */
uint64
tg_ballot_pack(TgBallot ballot)
{
	return (uint64) ballot.attempt << NODE_BITS | ballot.proposer;
}

/*
 * The ballot back.
 */
TgBallot
tg_ballot_unpack(uint64 packed)
{
	TgBallot	ballot = {(uint32) (packed >> NODE_BITS), packed & ((1 << NODE_BITS) - 1)};

	return ballot;
}

/*
 * How many of so many voters are a majority?
 */
int
tg_majority_of(int nvoters)
{
	return nvoters / 2 + 1;
}

/*
 * Promise to take part in no lower ballot.  False, and nothing has changed, if
 * a higher one was promised; the same one may ask again.
 */
bool
tg_voter_promise(TgVoter *voter, TgBallot ballot)
{
	if (tg_ballot_compare(ballot, voter->promised) < 0)
		return false;
	voter->promised = ballot;
	return true;
}

/*
 * Vote for the value of a ballot.  False, and nothing has changed, if a higher
 * ballot was promised.
 */
bool
tg_voter_accept(TgVoter *voter, TgBallot ballot, TgBytes value)
{
	Assert(value.data != NULL);

	if (tg_ballot_compare(ballot, voter->promised) < 0)
		return false;
	voter->promised = ballot;
	voter->accepted = ballot;
	voter->value = value;
	return true;
}

/*
 * Begin a ballot among these voters.
 */
void
tg_tally_begin(TgTally *tally, TgBallot ballot, const TgNodeId *voters, int nvoters)
{
	Assert(nvoters > 0 && nvoters <= TG_MAX_VOTERS);

	memset(tally, 0, sizeof(*tally));
	tally->ballot = ballot;
	tally->nvoters = nvoters;
	memcpy(tally->voters, voters, nvoters * sizeof(TgNodeId));
}

static void
mark(const TgTally *tally, bool *marks, TgNodeId from)
{
	for (int i = 0; i < tally->nvoters; i++)
		if (tally->voters[i] == from)
			marks[i] = true;
}

static bool
is_majority(const TgTally *tally, const bool *marks)
{
	int			n = 0;

	for (int i = 0; i < tally->nvoters; i++)
		n += marks[i];
	return n >= tg_majority_of(tally->nvoters);
}

/*
 * A voter has promised, and says what it has accepted last; value.data = NULL:
 * nothing.  The value is not copied.  Whoever is no voter does not count.
 */
void
tg_tally_add_promise(TgTally *tally, TgNodeId from, TgBallot accepted, TgBytes value)
{
	mark(tally, tally->has_promised, from);
	if (value.data == NULL || tg_ballot_compare(accepted, tally->highest) <= 0)
		return;
	tally->highest = accepted;
	tally->value = value;
}

/*
 * Has a majority promised?
 */
bool
tg_tally_is_promised(const TgTally *tally)
{
	return is_majority(tally, tally->has_promised);
}

/*
 * The value to propose: one that may be decided already, or our own.  A
 * majority must have promised, and the same must be asked once only: what
 * comes later must not change the value of the ballot.
 */
TgBytes
tg_tally_value(const TgTally *tally, TgBytes own)
{
	Assert(tg_tally_is_promised(tally));
	return tally->value.data != NULL ? tally->value : own;
}

/*
 * A voter has accepted the value of the ballot.
 */
void
tg_tally_add_vote(TgTally *tally, TgNodeId from)
{
	mark(tally, tally->has_accepted, from);
}

/*
 * Is the value of the ballot decided?
 */
bool
tg_tally_is_decided(const TgTally *tally)
{
	return is_majority(tally, tally->has_accepted);
}
