/*-------------------------------------------------------------------------
 *
 * src/bulk/job.h
 *	  What leader and workers of a job share, in its memory segment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_JOB_H
#define TG_BULK_JOB_H

#include "access/xlogdefs.h"
#include "base/types.h"
#include "bulk/progress.h"
#include "bulk/slice.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/sharedfileset.h"
#include "storage/shm_toc.h"

#define TG_JOB_MAGIC			0x5447504c	/* "TGPL" */
#define TG_JOB_QUEUE_BYTES		16384	/* for messages of one worker */
#define TG_JOB_MAX_SLICES		8192
#define TG_JOB_COUNTERS			12	/* that the slices of a job add up */

/* What is in the table of contents. */
enum
{
	TG_JOB_KEY_SHARED = 1, TG_JOB_KEY_SLICES, TG_JOB_KEY_QUEUES, TG_JOB_KEY_PARAMS
};

typedef struct TgJobShared
{
	/* set at the beginning */
	TgJobKind	kind;
	Oid			database;
	int			leader;			/* number of its process */
	int			nworkers;
	int			lock_timeout_ms;
	SharedFileSet files;

	/* lock free */
	pg_atomic_uint32 is_stopped;	/* do not begin anything more */

	/* under "topgun pool", as are the slices */
	int64		counters[TG_JOB_COUNTERS];
	XLogRecPtr	last_commit;	/* end of the last commit record of a worker */
	int			workers[TG_MAX_JOB_WORKERS];	/* number of its process + 1 */
} TgJobShared;

/* Leader and workers each have their own. */
typedef struct TgJob
{
	dsm_segment *segment;
	TgJobShared *shared;
	TgSlices   *slices;
	const void *params;
	int			worker;			/* TG_ANY_WORKER: the leader */
	int			slice;			/* that this process runs */
	struct TgJobCrew *crew;		/* of the leader */
	MemoryContext context;		/* lives as long as this */
	void	   *kept;			/* what a slice leaves for the next one that
								 * this process runs, or NULL */
} TgJob;

/* A slice that is being run, and what it has done so far. */
typedef struct TgSliceRun
{
	TgJob	   *job;
	const void *params;			/* of the job */
	SharedFileSet *files;
	int			slice;
	int64		counters[TG_JOB_COUNTERS];
} TgSliceRun;

/* Runs a slice in the current transaction; one function for each kind. */
typedef void (*TgRunSlice) (TgSliceRun *run);

extern void tg_pool_lock(void);
extern void tg_pool_unlock(void);
extern void tg_job_map(TgJob *job, shm_toc *toc);
extern void tg_job_wake(TgJob *job);
extern void tg_job_finish_slice(TgJob *job, const TgSliceRun *run);
extern bool tg_job_may_retry(TgJob *job, int slice, int sqlstate);

extern Size tg_pool_shmem_size(void);
extern void tg_pool_shmem_attach(void *ptr, bool found);

#endif							/* TG_BULK_JOB_H */
