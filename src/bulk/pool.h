/*-------------------------------------------------------------------------
 *
 * src/bulk/pool.h
 *	  A job that background workers do slice by slice.
 *
 * Each slice is one transaction.  A slice that was not finished, since its
 * worker was ended or met a deadlock, is done again: running one twice must be
 * harmless.
 *
 * The leader:	tg_job_begin(), then tg_job_add_slice() as often as it likes,
 * tg_job_close(), tg_job_wait() and, whatever happens, tg_job_end().  It may wait
 * with tg_job_drain() in between.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_POOL_H
#define TG_BULK_POOL_H

#include "bulk/job.h"

/* What the slices of a job are to do. */
typedef struct TgJobSpec
{
	TgJobKind	kind;
	Oid			relid;			/* for topgun.progress, as is the peer */
	TgNodeId	peer;
	int			nworkers;		/* 0: the leader does all itself */
	const void *params;			/* of the kind, without pointers */
	Size		params_bytes;
} TgJobSpec;

extern TgJob *tg_job_begin(const TgJobSpec *spec);
extern SharedFileSet *tg_job_files(TgJob *job);
extern int	tg_job_next_slice(TgJob *job);
extern void tg_job_add_slice(TgJob *job);
extern void tg_job_close(TgJob *job);
extern void tg_job_drain(TgJob *job, TgRunSlice run_slice);
extern void tg_job_wait(TgJob *job, TgRunSlice run_slice);
extern int64 tg_job_counter(TgJob *job, int counter);
extern void tg_job_end(TgJob *job);

extern void tg_job_check(TgJob *job, int64 rows);

#endif							/* TG_BULK_POOL_H */
