/*-------------------------------------------------------------------------
 *
 * src/base/failpoint.h
 *	  Named places where a test can stop, break or kill a process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_FAILPOINT_H
#define TG_BASE_FAILPOINT_H

#include "port/atomics.h"

typedef enum TgFailAction
{
	TG_FAIL_OFF,
	TG_FAIL_ERROR,				/* ereport(ERROR) */
	TG_FAIL_PAUSE,				/* wait until it is set to something else */
	TG_FAIL_LOCK,				/* wait for whoever holds advisory lock 1 */
	TG_FAIL_EXIT,				/* leave the process with proc_exit(1) */
	TG_FAIL_CRASH				/* kill -9 of this process */
} TgFailAction;

/* One atomic read while no failpoint is set. */
#define TG_FAILPOINT(name) \
	do { \
		if (unlikely(pg_atomic_read_u32(tg_failpoints_set) > 0)) \
			tg_failpoint_reached(name); \
	} while (0)

extern PGDLLIMPORT pg_atomic_uint32 *tg_failpoints_set;

extern void tg_failpoint_reached(const char *name);
extern void tg_failpoint_set(const char *name, TgFailAction action);

extern Size tg_failpoint_shmem_size(void);
extern void tg_failpoint_shmem_attach(void *ptr, bool found);

#endif							/* TG_BASE_FAILPOINT_H */
