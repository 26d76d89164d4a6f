/*-------------------------------------------------------------------------
 *
 * src/clock/epoch.h
 *	  The cluster epoch this node believes in, and whether it may write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLOCK_EPOCH_H
#define TG_CLOCK_EPOCH_H

#include "base/types.h"

#define TG_FIRST_EPOCH			1

/* Why clients may not write; bits of the word. */
typedef enum TgFence
{
	TG_FENCE_VIEW = 1,			/* not in the view; only a later one ends it */
	TG_FENCE_MINORITY = 2,		/* a majority of the view is not heard of */
	TG_FENCE_CLOCK = 4			/* our clock is too far ahead of a majority's */
} TgFence;

/* Epochs may have the same number after a view was forced, ids never. */
typedef struct TgEpochId
{
	TgEpoch		epoch;
	uint64		view_id;		/* 0: there is no view */
} TgEpochId;

extern TgEpoch tg_epoch_current(void);
extern TgEpochId tg_epoch_id(void);
extern int64 tg_epoch_age_ms(void);
extern bool tg_epoch_has_fence(TgFence fence);
extern void tg_epoch_require_writable(void);
extern void tg_epoch_advance(TgEpoch epoch, uint64 view_id, bool writable);
extern void tg_epoch_fence(TgEpoch epoch);
extern void tg_epoch_set_fence(TgFence fence, bool is_up);
extern void tg_epoch_forget(void);

extern void tg_epoch_install(void (*load) (void));
extern Size tg_epoch_shmem_size(void);
extern void tg_epoch_shmem_attach(void *ptr, bool found);

#endif							/* TG_CLOCK_EPOCH_H */
