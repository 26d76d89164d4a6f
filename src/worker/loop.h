/*-------------------------------------------------------------------------
 *
 * src/worker/loop.h
 *	  What every topgun worker does: start, run tasks, leave.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_LOOP_H
#define TG_WORKER_LOOP_H

#include "base/compat.h"
#include "datatype/timestamp.h"
#include "worker/roster.h"

/*
 * One thing a worker does from time to time.
 *
 * run() is called in a fresh transaction, with an active snapshot and a
 * scratch memory context that is reset afterwards.  It returns true if there
 * is more to do at once.  If it throws, its transaction is aborted and it is
 * run again after a pause that grows.
 */
typedef struct TgTask
{
	const char *name;			/* shown in pg_stat_activity */
	int			interval_ms;
	const int  *setting_ms;		/* a setting in its place; 0: do not run */
	bool		ignores_latch;	/* only the time makes it due */
	bool		(*run) (void);
	TimestampTz due;			/* first may be given, the loop goes on */
	int			failures;		/* in a row; filled in by the loop */
} TgTask;

extern void tg_worker_start(Datum arg, const char *name, TgWorker *worker);
pg_noreturn extern void tg_worker_loop(TgTask *tasks, int ntasks);
extern bool tg_worker_pause(long timeout_ms);
extern void tg_worker_take_config(void);

#endif							/* TG_WORKER_LOOP_H */
