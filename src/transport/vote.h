/*-------------------------------------------------------------------------
 *
 * src/transport/vote.h
 *	  What proposer and voter of a view say to each other, and its bytes.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_VOTE_H
#define TG_TRANSPORT_VOTE_H

#include "base/bytes.h"
#include "base/types.h"
#include "transport/wire_part.h"

/* "Promise", or "vote": about the view that follows "base". */
typedef struct TgVoteRequest
{
	TgMessageKind kind;			/* TG_MESSAGE_PROMISE or TG_MESSAGE_ACCEPT */
	TgSpeaker	asker;
	uint64		ballot;			/* packed, see tg_ballot_pack() */
	TgNodeId	suspect;		/* promise only if this node seems to have
								 * failed; 0: in any case */
	TgBytes		base;			/* bytes of a view */
	TgBytes		value;			/* the same; of a vote only */
} TgVoteRequest;

typedef enum TgVoteStatus
{
	TG_VOTE_GIVEN,				/* what was asked for is durable */
	TG_VOTE_OUTBID,				/* a higher ballot was promised */
	TG_VOTE_STALE,				/* "base" is not the newest view */
	TG_VOTE_UNSUSPECTED			/* the suspect is well, as seen from here */
} TgVoteStatus;

typedef struct TgVoteAnswer
{
	TgNodeId	sender;
	TgVoteStatus status;
	uint64		promised;		/* the highest ballot promised */
	uint64		accepted;		/* the last one voted for; 0: none */
	TgBytes		value;			/* what it was for */
	TgBytes		view;			/* the newest one, if "base" is not */
} TgVoteAnswer;

extern void tg_vote_write_request(StringInfo buf, const TgVoteRequest *request);
extern bool tg_vote_read_request(TgReader *reader, TgMessageKind kind, TgVoteRequest *request);
extern void tg_vote_write_answer(StringInfo buf, const TgVoteAnswer *answer);
extern bool tg_vote_read_answer(TgReader *reader, TgVoteAnswer *answer);

#endif							/* TG_TRANSPORT_VOTE_H */
