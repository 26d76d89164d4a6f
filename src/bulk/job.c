/*-------------------------------------------------------------------------
 *
 * src/bulk/job.c
 *	  What leader and workers of a job share, in its memory segment.
 *
 * One lock for all jobs: it is taken a few times for each slice, which takes
 * some thousand times as long.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/compat.h"
#include "bulk/job.h"
#include "bulk/slice_file.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"

#define MAX_TRIES		6		/* of one slice */

typedef struct PoolShared
{
	LWLock	   *lock;
} PoolShared;

static PoolShared *pool = NULL;

/*
 * Lock the slices, counters and places of all jobs.  Memory only under it.
 */
void
tg_pool_lock(void)
{
	LWLockAcquire(pool->lock, LW_EXCLUSIVE);
}

/*
 * Mirrors tg_pool_lock().
 */
void
tg_pool_unlock(void)
{
	LWLockRelease(pool->lock);
}

/*
 * Find the parts of a job's segment, which is mapped.
 */
void
tg_job_map(TgJob *job, shm_toc *toc)
{
	job->shared = shm_toc_lookup(toc, TG_JOB_KEY_SHARED, false);
	job->slices = shm_toc_lookup(toc, TG_JOB_KEY_SLICES, false);
	job->params = shm_toc_lookup(toc, TG_JOB_KEY_PARAMS, false);
}

/*
 * Wake the leader and all workers: something has changed.  A process that has
 * ended meanwhile costs its successor a look at its latch.
 */
void
tg_job_wake(TgJob *job)
{
	TgJobShared *shared = job->shared;

	SetLatch(&GetPGProcByNumber(shared->leader)->procLatch);
	for (int i = 0; i < shared->nworkers; i++)
	{
		int			proc = shared->workers[i] - 1;

		if (proc >= 0)
			SetLatch(&GetPGProcByNumber(proc)->procLatch);
	}
}

/*
 * The transaction of a slice has committed: the slice is done, and its file goes.
 */
void
tg_job_finish_slice(TgJob *job, const TgSliceRun *run)
{
	TgJobShared *shared = job->shared;

	tg_pool_lock();
	tg_slices_finish(job->slices, run->slice);
	for (int i = 0; i < TG_JOB_COUNTERS; i++)
		shared->counters[i] += run->counters[i];
	shared->last_commit = Max(shared->last_commit, XactLastCommitEnd);
	tg_pool_unlock();
	tg_slice_remove(&shared->files, run->slice);
}

/*
 * Is the error one that goes away by itself, so that the slice shall be tried
 * again?  Not for ever.
 */
bool
tg_job_may_retry(TgJob *job, int slice, int sqlstate)
{
	int			tries;

	if (sqlstate != ERRCODE_LOCK_NOT_AVAILABLE &&
		ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_TRANSACTION_ROLLBACK)
		return false;
	tg_pool_lock();
	tries = job->slices->slices[slice].tries;
	tg_pool_unlock();
	return tries < MAX_TRIES;
}

Size
tg_pool_shmem_size(void)
{
	return sizeof(PoolShared);
}

void
tg_pool_shmem_attach(void *ptr, bool found)
{
	pool = ptr;
	if (!found)
		pool->lock = &GetNamedLWLockTranche("topgun pool")->lock;
}
