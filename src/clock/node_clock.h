/*-------------------------------------------------------------------------
 *
 * src/clock/node_clock.h
 *	  The hybrid logical clock of this server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLOCK_NODE_CLOCK_H
#define TG_CLOCK_NODE_CLOCK_H

#include "base/types.h"

extern TgStamp tg_clock_tick(TgNodeId node);
extern TgStamp tg_clock_found(void);
extern void tg_clock_observe(TgStamp stamp);
extern void tg_clock_advance(TgStamp stamp);
extern bool tg_clock_accepts(TgStamp stamp);
extern uint64 tg_clock_wall_ms(void);
extern int64 tg_clock_wall_us(void);

extern Size tg_clock_shmem_size(void);
extern void tg_clock_shmem_attach(void *ptr, bool found);

#endif							/* TG_CLOCK_NODE_CLOCK_H */
