/*-------------------------------------------------------------------------
 *
 * src/cluster/token.h
 *	  Tokens: the right to a resource, bound to an epoch.  Pure.
 *
 * A token is a number: the epoch it was issued in, and a serial number that
 * its issuer gives only once.  Of two tokens of a resource the later one is
 * the greater.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_TOKEN_H
#define TG_CLUSTER_TOKEN_H

#include "base/types.h"

#define TG_TOKEN_SERIAL_BITS	40
#define TG_NO_TOKEN				INT64CONST(0)

/* What the member that looks after a resource knows of it. */
typedef struct TgTokenRecord
{
	TgNodeId	holder;			/* 0: nobody has it */
	bool		holder_is_member;	/* in the current view */
	int64		token;			/* the last that was issued */
} TgTokenRecord;

/* The epoch as of now. */
typedef struct TgTokenTime
{
	TgEpoch		epoch;
	int64		age_ms;			/* since we are in it; PG_INT64_MAX: long */
	int			grace_ms;		/* how long tokens of the one before count */
} TgTokenTime;

extern int64 tg_token_make(TgEpoch epoch, int64 serial);
extern TgEpoch tg_token_epoch(int64 token);
extern bool tg_token_counts(int64 token, const TgTokenTime *now);
extern bool tg_token_is_held(const TgTokenRecord *record, const TgTokenTime *now);
extern bool tg_token_is_valid(const TgTokenRecord *record, int64 token, const TgTokenTime *now);
extern bool tg_token_may_take(const TgTokenRecord *record, TgNodeId asker, const TgTokenTime *now);

#endif							/* TG_CLUSTER_TOKEN_H */
