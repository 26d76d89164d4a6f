/*-------------------------------------------------------------------------
 *
 * src/cluster/ballot.h
 *	  Deciding one value among some voters.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_BALLOT_H
#define TG_CLUSTER_BALLOT_H

#include "base/bytes.h"
#include "base/types.h"

#define TG_MAX_VOTERS			64	/* members of a view */

/* Compared by attempt, then proposer.  Attempt 0: none. */
typedef struct TgBallot
{
	uint32		attempt;
	TgNodeId	proposer;
} TgBallot;

/* What a voter has bound itself to; to be durable before it is told. */
typedef struct TgVoter
{
	TgBallot	promised;		/* takes part in no lower one */
	TgBallot	accepted;		/* the last one voted for */
	TgBytes		value;			/* its value; data NULL: none was accepted */
} TgVoter;

/* What a proposer knows of its ballot. */
typedef struct TgTally
{
	TgBallot	ballot;
	int			nvoters;
	TgNodeId	voters[TG_MAX_VOTERS];
	bool		has_promised[TG_MAX_VOTERS];
	bool		has_accepted[TG_MAX_VOTERS];
	TgBallot	highest;		/* accepted by one that has promised */
	TgBytes		value;			/* its value */
} TgTally;

extern int	tg_ballot_compare(TgBallot a, TgBallot b);
extern TgBallot tg_ballot_next(TgBallot seen, TgNodeId proposer);
extern uint64 tg_ballot_pack(TgBallot ballot);
extern TgBallot tg_ballot_unpack(uint64 packed);
extern int	tg_majority_of(int nvoters);

extern bool tg_voter_promise(TgVoter *voter, TgBallot ballot);
extern bool tg_voter_accept(TgVoter *voter, TgBallot ballot, TgBytes value);

extern void tg_tally_begin(TgTally *tally, TgBallot ballot, const TgNodeId *voters, int nvoters);
extern void tg_tally_add_promise(TgTally *tally, TgNodeId from, TgBallot accepted, TgBytes value);
extern bool tg_tally_is_promised(const TgTally *tally);
extern TgBytes tg_tally_value(const TgTally *tally, TgBytes own);
extern void tg_tally_add_vote(TgTally *tally, TgNodeId from);
extern bool tg_tally_is_decided(const TgTally *tally);

#endif							/* TG_CLUSTER_BALLOT_H */
