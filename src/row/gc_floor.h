/*-------------------------------------------------------------------------
 *
 * src/row/gc_floor.h
 *	  The greatest stamp of a tombstone that was collected here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_GC_FLOOR_H
#define TG_ROW_GC_FLOOR_H

#include "base/types.h"

extern TgStamp tg_gc_floor(void);
extern void tg_gc_floor_raise(TgStamp stamp);
extern void tg_gc_floor_forget(void);

extern Size tg_gc_floor_shmem_size(void);
extern void tg_gc_floor_shmem_attach(void *ptr, bool found);

#endif							/* TG_ROW_GC_FLOOR_H */
