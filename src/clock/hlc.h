/*-------------------------------------------------------------------------
 *
 * src/clock/hlc.h
 *	  Arithmetic of the hybrid logical clock.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLOCK_HLC_H
#define TG_CLOCK_HLC_H

#include "base/types.h"

#define TG_NODE_BITS			10
#define TG_COUNTER_BITS			12
#define TG_MAX_COUNTER			((1 << TG_COUNTER_BITS) - 1)
#define TG_MAX_MS				((UINT64CONST(1) << 42) - 1)

extern TgStamp tg_stamp_make(uint64 ms, uint32 counter, TgNodeId node);
extern uint64 tg_stamp_ms(TgStamp stamp);
extern uint32 tg_stamp_counter(TgStamp stamp);
extern TgNodeId tg_stamp_node(TgStamp stamp);
extern bool tg_stamp_is_valid(TgStamp stamp);

extern TgStamp tg_hlc_next(TgStamp last, uint64 now_ms, TgNodeId node);
extern bool tg_hlc_too_far(TgStamp stamp, uint64 now_ms, uint64 max_drift_ms);

#endif							/* TG_CLOCK_HLC_H */
