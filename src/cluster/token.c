/*-------------------------------------------------------------------------
 *
 * src/cluster/token.c
 *	  Tokens: the right to a resource, bound to an epoch.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/token.h"

/*
 * The token of an epoch with a serial number, which is not 0.
 */
int64
tg_token_make(TgEpoch epoch, int64 serial)
{
	Assert(serial > 0 && serial >> TG_TOKEN_SERIAL_BITS == 0);
	Assert(epoch >> (63 - TG_TOKEN_SERIAL_BITS) == 0);

	return (int64) (epoch << TG_TOKEN_SERIAL_BITS) | serial;
}

/*
 * The epoch that a token was issued in.
 */
TgEpoch
tg_token_epoch(int64 token)
{
	return (uint64) token >> TG_TOKEN_SERIAL_BITS;
}

/*
 * Is the token's epoch one whose tokens count: the current one, or for a
 * while the one before?
 */
bool
tg_token_counts(int64 token, const TgTokenTime *now)
{
	TgEpoch		epoch = tg_token_epoch(token);

	if (token <= TG_NO_TOKEN)
		return false;
	return epoch == now->epoch || (epoch + 1 == now->epoch && now->age_ms < now->grace_ms);
}

/*
 * Has somebody a right to the resource?  Not one who has released it, or who
 * is no longer a member.
 */
bool
tg_token_is_held(const TgTokenRecord *record, const TgTokenTime *now)
{
	return record->holder != 0 && record->holder_is_member &&
		tg_token_counts(record->token, now);
}

/*
 * Is this the token that gives a right to the resource?
 */
bool
tg_token_is_valid(const TgTokenRecord *record, int64 token, const TgTokenTime *now)
{
	return token == record->token && tg_token_is_held(record, now);
}

/*
 * May this node have a new token?  A node that holds the resource may: the
 * tokens it had are stale then.
 */
bool
tg_token_may_take(const TgTokenRecord *record, TgNodeId asker, const TgTokenTime *now)
{
	return record->holder == asker || !tg_token_is_held(record, now);
}
