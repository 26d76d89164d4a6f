/*-------------------------------------------------------------------------
 *
 * src/clock/hlc.c
 *	  Arithmetic of the hybrid logical clock.  Pure.
 *
 * Milliseconds and counter together are one number, the tick.  Counting past
 * the last counter value carries into the milliseconds by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"

#define TICK_OF(stamp)		((stamp) >> TG_NODE_BITS)
#define FIRST_TICK(ms)		((ms) << TG_COUNTER_BITS)
#define LAST_TICK			(FIRST_TICK(TG_MAX_MS) + TG_MAX_COUNTER)

/*
 * Put a stamp together.  The parts must be in range.
 */
TgStamp
tg_stamp_make(uint64 ms, uint32 counter, TgNodeId node)
{
	Assert(ms <= TG_MAX_MS);
	Assert(counter <= TG_MAX_COUNTER);
	Assert(node <= TG_MAX_NODE);

	return (FIRST_TICK(ms) + counter) << TG_NODE_BITS | node;
}

/*
 * Milliseconds from 2000-01-01 UTC to the stamp.
 */
uint64
tg_stamp_ms(TgStamp stamp)
{
	return TICK_OF(stamp) >> TG_COUNTER_BITS;
}

/*
 * The how-many-eth stamp it is within its millisecond, from 0.
 */
uint32
tg_stamp_counter(TgStamp stamp)
{
	return TICK_OF(stamp) & TG_MAX_COUNTER;
}

/*
 * The node that made the stamp; 0 for TG_NO_STAMP.
 */
TgNodeId
tg_stamp_node(TgStamp stamp)
{
	return stamp & TG_MAX_NODE;
}

/*
 * Can a row bear this stamp?  TG_NO_STAMP is fine, a time without a node is
 * not.  Marks in a vector are bounds, not stamps of rows: do not ask for them.
 */
bool
tg_stamp_is_valid(TgStamp stamp)
{
	return stamp == TG_NO_STAMP || tg_stamp_node(stamp) != 0;
}

/*
 * The next stamp of a node that has made or observed "last": the smallest one
 * that is later than it, whoever made it, and not before now_ms.
 *
 * Errors out at the end of representable time, in 2139; short of that, only a
 * stamp that tg_hlc_too_far() would have refused leads there.
 */
TgStamp
tg_hlc_next(TgStamp last, uint64 now_ms, TgNodeId node)
{
	uint64		tick;

	Assert(node <= TG_MAX_NODE);

	if (now_ms > TG_MAX_MS || TICK_OF(last) == LAST_TICK)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("clock is past the last possible stamp"),
				 errhint("Correct the system clock of this server.")));

	tick = Max(TICK_OF(last) + 1, FIRST_TICK(now_ms));
	return tick << TG_NODE_BITS | node;
}

/*
 * Is the stamp more than max_drift_ms ahead of now_ms?
 */
bool
tg_hlc_too_far(TgStamp stamp, uint64 now_ms, uint64 max_drift_ms)
{
	uint64		ms = tg_stamp_ms(stamp);

	return ms > now_ms && ms - now_ms > max_drift_ms;
}
