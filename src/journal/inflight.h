/*-------------------------------------------------------------------------
 *
 * src/journal/inflight.h
 *	  Transactions that write to replicated tables and have not ended yet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_INFLIGHT_H
#define TG_JOURNAL_INFLIGHT_H

#include "base/types.h"

extern void tg_inflight_enter(TgNodeId node);
extern TgPosition tg_inflight_take_position(TgNodeId node);
extern TgPosition tg_inflight_position(void);
extern void tg_inflight_leave(bool committed);

extern TgStamp tg_inflight_low_water(TgNodeId node);
extern TgPosition tg_inflight_horizon(TgNodeId node);
extern bool tg_inflight_older_writer(TgStamp stamp);
extern TgPosition tg_inflight_last_position(void);

extern void tg_inflight_forget(void);

extern void tg_waiter_enter(void);
extern void tg_waiter_leave(void);

extern Size tg_inflight_shmem_size(void);
extern void tg_inflight_shmem_attach(void *ptr, bool found);

#endif							/* TG_JOURNAL_INFLIGHT_H */
