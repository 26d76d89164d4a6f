/*-------------------------------------------------------------------------
 *
 * src/transport/pull.h
 *	  Pulling a peer's journal: the asking end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_PULL_H
#define TG_TRANSPORT_PULL_H

#include "access/xlogdefs.h"
#include "journal/cursor.h"
#include "transport/crew.h"
#include "transport/link.h"

/* An answer that workers are merging. */
typedef struct TgPulled
{
	MemoryContext context;		/* of all that is in here */
	TgBytes		bytes;
	TgAnswerHead head;			/* but for its vector */
	TgPeerCursor to;			/* where we are when it is merged */
} TgPulled;

/* One puller's state between its transactions. */
typedef struct TgPull
{
	TgNodeId	node;			/* who we are */
	TgNodeId	peer;
	TgLink	   *link;
	TgPeerCursor at;			/* merged and visible here */
	TgCursor	flushed;		/* of that, known to be durable */
	bool		in_step;		/* no table was left out up to there */
	TgCursor	pending;		/* will be flushed, once pending_lsn is */
	bool		pending_in_step;
	XLogRecPtr	pending_lsn;	/* 0: nothing is pending */
	TgStamp		settled;		/* what we tell of tg_settled_here() */
	TgStamp		next_settled;	/* will be, once settled_lsn is flushed */
	XLogRecPtr	settled_lsn;	/* 0: nothing is to be flushed */
	TimestampTz settled_at;		/* when we looked last */
	bool		give_back;		/* until one complete answer */
	bool		behind;			/* the last answer was not complete */
	TimestampTz saved_at;
	TgCrew	   *crew;			/* workers that merge large answers, or NULL */
	TgPulled   *merging;		/* what they are merging, or NULL */
	MemoryContext context;		/* of the vector; lives as long as the link */
} TgPull;

extern void tg_pull_start(TgPull *pull, TgNodeId peer, TgLink *link, MemoryContext context);
extern void tg_pull_send(TgPull *pull, int wait_ms);
extern bool tg_pull_receive(TgPull *pull, int wait_ms);

#endif							/* TG_TRANSPORT_PULL_H */
