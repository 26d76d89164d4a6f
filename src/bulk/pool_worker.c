/*-------------------------------------------------------------------------
 *
 * src/bulk/pool_worker.c
 *	  A worker of a job: takes slices until none is left.
 *
 * An error ends the worker and, by way of its message queue, the job; only
 * those that go away by themselves, as a deadlock, are tried again here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "base/wait.h"
#include "bulk/pool_worker.h"
#include "libpq/pqmq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define RETRY_PAUSE_MS	20
#define IDLE_MS			1000

/*
 * Whoever is the last to leave removes the files of the job, and that must be
 * before the statistics are gone, where their size is noted.
 */
static void
detach(int code, Datum handle)
{
	dsm_segment *segment = dsm_find_mapping(DatumGetUInt32(handle));

	if (segment != NULL)
		dsm_detach(segment);
}

static void
attach(TgJob *job, dsm_handle handle, int worker)
{
	shm_toc    *toc;
	shm_mq	   *queue;

	job->worker = worker;
	job->context = AllocSetContextCreate(TopMemoryContext, "topgun job", ALLOCSET_DEFAULT_SIZES);
	job->segment = dsm_attach(handle);
	if (job->segment == NULL)
		proc_exit(0);			/* the leader has gone already */
	toc = shm_toc_attach(TG_JOB_MAGIC, dsm_segment_address(job->segment));
	if (toc == NULL)
		elog(ERROR, "invalid magic number in the memory segment of a job");
	tg_job_map(job, toc);

	queue = (shm_mq *) ((char *) shm_toc_lookup(toc, TG_JOB_KEY_QUEUES, false) +
						worker * TG_JOB_QUEUE_BYTES);
	shm_mq_set_sender(queue, MyProc);
	pq_redirect_to_shm_mq(job->segment, shm_mq_attach(queue, job->segment, NULL));
}

/*
 * Commits are not waited for one by one: the leader does, for the last.
 */
static void
set_up_session(TgJobShared *shared)
{
	char		lock_timeout[16];

	BackgroundWorkerInitializeConnectionByOid(shared->database, InvalidOid, 0);
	snprintf(lock_timeout, sizeof(lock_timeout), "%d", shared->lock_timeout_ms);
	SetConfigOption("lock_timeout", lock_timeout, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	/* which the server may not have yet */
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		SetConfigOption("transaction_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("application_name", "topgun bulk worker", PGC_USERSET, PGC_S_SESSION);
}

static void
enter(TgJob *job)
{
	tg_pool_lock();
	job->shared->workers[job->worker] = TG_MY_PROC_NUMBER + 1;
	tg_pool_unlock();
}

static void
run_in_transaction(TgSliceRun *run, TgRunSlice run_slice)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "bulk slice");
	run_slice(run);
	CommitTransactionCommand();
}

static void
recover(void)
{
	HOLD_INTERRUPTS();
	AbortOutOfAnyTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
}

/*
 * Run a slice.  An error that does not go away by itself ends the worker.
 */
static void
do_slice(TgJob *job, int slice, TgRunSlice run_slice)
{
	TgSliceRun	run = {.job = job,.params = job->params,.files = &job->shared->files,.slice = slice};

	job->slice = slice;
	PG_TRY();
	{
		run_in_transaction(&run, run_slice);
		tg_job_finish_slice(job, &run);
	}
	PG_CATCH();
	{
		if (!tg_job_may_retry(job, slice, geterrcode()))
			PG_RE_THROW();
		recover();
		tg_pool_lock();
		tg_slices_put_back(job->slices, slice);
		tg_pool_unlock();
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, RETRY_PAUSE_MS,
						 tg_wait_event(TG_WAIT_JOB));
	}
	PG_END_TRY();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	tg_job_wake(job);
}

/*
 * Take the next slice.  False if there is nothing more to do.
 */
static bool
take(TgJob *job, int *slice)
{
	bool		more;

	if (pg_atomic_read_u32(&job->shared->is_stopped))
		return false;
	tg_pool_lock();
	more = !tg_slices_are_done(job->slices);
	*slice = tg_slices_take(job->slices, job->worker);
	tg_pool_unlock();
	return more;
}

static void
take_config(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/*
 * The life of a worker: do slices of the job in this memory segment, as the
 * function for its kind says, until all are done or the leader has stopped.
 * Signals are set up.
 */
void
tg_job_work(dsm_handle handle, int worker, const TgRunSlice *run_slice)
{
	TgJob		job = {.crew = NULL};
	int			slice;

	attach(&job, handle, worker);
	set_up_session(job.shared);
	before_shmem_exit(detach, UInt32GetDatum(handle));
	SharedFileSetAttach(&job.shared->files, job.segment);
	enter(&job);

	while (take(&job, &slice))
	{
		if (slice != TG_NO_SLICE)
			do_slice(&job, slice, run_slice[job.shared->kind]);
		else
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 IDLE_MS, tg_wait_event(TG_WAIT_IDLE));
			ResetLatch(MyLatch);
		}
		CHECK_FOR_INTERRUPTS();
		take_config();
	}
}
