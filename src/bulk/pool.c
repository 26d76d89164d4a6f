/*-------------------------------------------------------------------------
 *
 * src/bulk/pool.c
 *	  The leader of a job: starts workers, feeds them, hears of their ends.
 *
 * How things end:
 *
 *	a worker errors out		its message comes through its queue; the job fails
 *	a worker is terminated	its slice is put back, the others go on
 *	all workers are gone	the leader does the rest itself
 *	the leader errors out	tg_job_end() ends the workers and waits for them
 *	the leader terminates	on its way out it tells the workers
 *	a process is killed		the server restarts; nothing of this survives
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/attempt.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/wait.h"
#include "bulk/pool.h"
#include "executor/spi.h"
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "replication/syncrep.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define LOOK_MS			200		/* how often progress is told, at least */

/* A worker as the leader knows it. */
typedef struct Member
{
	BackgroundWorkerHandle *handle; /* NULL: was not started, or is gone */
	shm_mq_handle *queue;		/* its messages; NULL: no more will come */
} Member;

typedef struct TgJobCrew
{
	MemoryContext context;
	int			place;			/* in the list of progress */
	bool		is_called;		/* workers were started, or could not be */
	int			nmembers;		/* that are not gone */
	Member		members[TG_MAX_JOB_WORKERS];
} TgJobCrew;

static TgJob *led = NULL;		/* the job that this process leads */

static int
max_workers(TgJob *job)
{
	return job->shared->nworkers;
}

/*
 * Tell the workers to end, without waiting for them.  Nobody reads what they
 * say from here on, so they must not wait for room to say it.
 */
static void
dismiss(TgJob *job)
{
	pg_atomic_write_u32(&job->shared->is_stopped, 1);
	for (int i = 0; i < max_workers(job); i++)
	{
		Member	   *member = &job->crew->members[i];

		if (member->queue != NULL)
			shm_mq_detach(member->queue);
		member->queue = NULL;
		if (member->handle != NULL)
			TerminateBackgroundWorker(member->handle);
	}
	tg_job_wake(job);
}

/*
 * This process ends.  A job that it leads ends with it; its files must be gone
 * before the statistics are, where their size is noted.
 */
static void
leave_job(int code, Datum arg)
{
	if (led == NULL)
		return;
	dismiss(led);
	tg_progress_end(led->crew->place);
	dsm_detach(led->segment);
	led = NULL;
}

/*
 * From here on the caller, and the end of the process, see to the job's end.
 */
static void
lead(TgJob *job)
{
	static bool is_prepared = false;

	Assert(led == NULL);
	if (!is_prepared)
		before_shmem_exit(leave_job, (Datum) 0);
	is_prepared = true;
	dsm_pin_mapping(job->segment);
	MemoryContextSetParent(job->crew->context, TopMemoryContext);
	led = job;
}

static void
init_shared(TgJobShared *shared, const TgJobSpec *spec, dsm_segment *segment)
{
	memset(shared, 0, sizeof(*shared));
	shared->kind = spec->kind;
	shared->database = MyDatabaseId;
	shared->leader = TG_MY_PROC_NUMBER;
	shared->nworkers = spec->nworkers;
	shared->lock_timeout_ms = LockTimeout;
	pg_atomic_init_u32(&shared->is_stopped, 0);
	SharedFileSetInit(&shared->files, segment);
}

static void
create_queues(TgJob *job, char *address, int n)
{
	for (int i = 0; i < n; i++)
	{
		shm_mq	   *queue = shm_mq_create(address + (Size) i * TG_JOB_QUEUE_BYTES, TG_JOB_QUEUE_BYTES);

		shm_mq_set_receiver(queue, MyProc);
		job->crew->members[i].queue = shm_mq_attach(queue, job->segment, NULL);
	}
}

/*
 * Put the parts of a job into a segment of its own.
 */
static void
create_segment(TgJob *job, const TgJobSpec *spec)
{
	Size		slices_bytes = tg_slices_size(TG_JOB_MAX_SLICES);
	Size		queues_bytes = Max((Size) spec->nworkers, 1) * TG_JOB_QUEUE_BYTES;
	shm_toc_estimator estimator;
	shm_toc    *toc;
	char	   *part;

	shm_toc_initialize_estimator(&estimator);
	shm_toc_estimate_chunk(&estimator, sizeof(TgJobShared));
	shm_toc_estimate_chunk(&estimator, slices_bytes);
	shm_toc_estimate_chunk(&estimator, queues_bytes);
	shm_toc_estimate_chunk(&estimator, spec->params_bytes);
	shm_toc_estimate_keys(&estimator, 4);
	job->segment = dsm_create(shm_toc_estimate(&estimator), 0);
	toc = shm_toc_create(TG_JOB_MAGIC, dsm_segment_address(job->segment), shm_toc_estimate(&estimator));

	part = shm_toc_allocate(toc, sizeof(TgJobShared));
	init_shared((TgJobShared *) part, spec, job->segment);
	shm_toc_insert(toc, TG_JOB_KEY_SHARED, part);

	part = shm_toc_allocate(toc, slices_bytes);
	tg_slices_init((TgSlices *) part, TG_JOB_MAX_SLICES, spec->nworkers, tg_merge_affinity, tg_merge_stealing);
	shm_toc_insert(toc, TG_JOB_KEY_SLICES, part);

	part = shm_toc_allocate(toc, queues_bytes);
	create_queues(job, part, spec->nworkers);
	shm_toc_insert(toc, TG_JOB_KEY_QUEUES, part);

	part = shm_toc_allocate(toc, spec->params_bytes);
	memcpy(part, spec->params, spec->params_bytes);
	shm_toc_insert(toc, TG_JOB_KEY_PARAMS, part);

	tg_job_map(job, toc);
}

/*
 * Begin a job, of which the caller is the leader.  It outlives transactions,
 * so the caller sees to tg_job_end() also when there is an error.
 */
TgJob *
tg_job_begin(const TgJobSpec *spec)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun job",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgJob	   *job = palloc0(sizeof(TgJob));

	Assert(spec->nworkers >= 0 && spec->nworkers <= TG_MAX_JOB_WORKERS);

	job->crew = palloc0(sizeof(TgJobCrew));
	job->crew->context = context;
	job->context = context;
	job->worker = TG_ANY_WORKER;
	create_segment(job, spec);

	MemoryContextSwitchTo(old);

	/* until here the transaction cleans up */
	job->crew->place = tg_progress_begin(spec->kind, spec->relid, spec->peer);
	lead(job);
	return job;
}

/*
 * Where files for the workers go: they are removed with the job.
 */
SharedFileSet *
tg_job_files(TgJob *job)
{
	return &job->shared->files;
}

static void
start_worker(TgJob *job, int number)
{
	Member	   *member = &job->crew->members[number];
	BackgroundWorker worker = {
		.bgw_name = "topgun bulk worker",
		.bgw_type = "topgun bulk worker",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "topgun",
		.bgw_function_name = "topgun_bulk_main",
		.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(job->segment)),
		.bgw_notify_pid = MyProcPid
	};

	memcpy(worker.bgw_extra, &number, sizeof(number));
	if (!RegisterDynamicBackgroundWorker(&worker, &member->handle))
	{
		member->handle = NULL;
		return;
	}
	shm_mq_set_handle(member->queue, member->handle);
	job->crew->nmembers++;
	tg_pool_lock();
	tg_slices_enter(job->slices, number);
	tg_pool_unlock();
}

/*
 * Start the workers.  Without any the leader will do all itself, which is
 * slower and nothing worse.
 */
static void
call_workers(TgJob *job)
{
	MemoryContext old = MemoryContextSwitchTo(job->crew->context);
	int			wanted = max_workers(job);

	job->crew->is_called = true;
	for (int i = 0; i < wanted; i++)
		start_worker(job, i);
	MemoryContextSwitchTo(old);
	tg_progress_set_workers(job->crew->place, job->crew->nmembers);

	if (job->crew->nmembers < wanted)
		ereport(NOTICE,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("%d of %d workers could be started", job->crew->nmembers, wanted),
				 job->crew->nmembers == 0 ? errdetail("This session does the work itself.") : 0,
				 errhint("Consider increasing max_worker_processes.")));
}

static void
say_where(void *arg)
{
	errcontext("bulk worker %d", (int) (intptr_t) arg);
}

/*
 * What a worker has to say.  An error ends the job; that the worker was ended
 * from outside does not.
 */
static void
handle_message(int worker, const char *data, Size len)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = say_where,
		.arg = (void *) (intptr_t) worker
	};
	StringInfoData message;
	ErrorData	error;
	char		type;

	initStringInfo(&message);
	appendBinaryStringInfo(&message, data, len);
	type = pq_getmsgbyte(&message);
	if (type == 'E' || type == 'N')
	{
		pq_parse_errornotice(&message, &error);
		if (error.elevel >= FATAL)
			ereport(WARNING,
					(errcode(error.sqlerrcode),
					 errmsg("lost a bulk worker: %s", error.message),
					 errdetail("What it was doing is done again.")));
		else
		{
			error_context_stack = &callback;
			ThrowErrorData(&error);
			error_context_stack = callback.previous;
		}
	}
	pfree(message.data);
}

static void
read_messages(TgJob *job, int worker)
{
	Member	   *member = &job->crew->members[worker];

	while (member->queue != NULL)
	{
		Size		len;
		void	   *data;
		shm_mq_result result = shm_mq_receive(member->queue, &len, &data, true);

		if (result == SHM_MQ_WOULD_BLOCK)
			return;
		if (result == SHM_MQ_SUCCESS)
			handle_message(worker, data, len);
		else
		{
			shm_mq_detach(member->queue);
			member->queue = NULL;
		}
	}
}

/*
 * A worker has ended, of itself or not: what it was doing is to be done.
 */
static void
bury(TgJob *job, int worker)
{
	Member	   *member = &job->crew->members[worker];

	pfree(member->handle);
	member->handle = NULL;
	job->crew->nmembers--;
	tg_progress_set_workers(job->crew->place, job->crew->nmembers);
	tg_pool_lock();
	job->shared->workers[worker] = 0;
	(void) tg_slices_leave(job->slices, worker);
	tg_pool_unlock();
	tg_job_wake(job);
}

static void
look_after_workers(TgJob *job)
{
	for (int i = 0; i < max_workers(job); i++)
	{
		Member	   *member = &job->crew->members[i];
		pid_t		pid;
		bool		has_ended;

		if (member->handle == NULL)
			continue;
		has_ended = GetBackgroundWorkerPid(member->handle, &pid) == BGWH_STOPPED;
		read_messages(job, i);
		if (has_ended)
			bury(job, i);
	}
}

static void
tell_progress(TgJob *job)
{
	int			done;
	int			total;
	int64		rows;

	tg_pool_lock();
	done = job->slices->ndone;
	total = job->slices->nslices;
	rows = job->slices->rows;
	tg_pool_unlock();
	tg_progress_set_slices(job->crew->place, done, total);
	tg_progress_set_rows(job->crew->place, rows);
}

/*
 * To be called now and then while a slice is run: takes interrupts, and counts
 * so many rows more.
 */
void
tg_job_check(TgJob *job, int64 rows)
{
	tg_pool_lock();
	tg_slices_count(job->slices, job->slice, rows);
	tg_pool_unlock();
	CHECK_FOR_INTERRUPTS();
	if (job->worker == TG_ANY_WORKER)
		tell_progress(job);
	else if (pg_atomic_read_u32(&job->shared->is_stopped))
		proc_exit(0);
}

/*
 * The number that the next slice will have.
 */
int
tg_job_next_slice(TgJob *job)
{
	return job->slices->nslices;
}

/*
 * Add a slice.  Workers are started when there is more than one; they may do
 * it at once.  Errors out if a worker has.
 */
void
tg_job_add_slice(TgJob *job)
{
	int			slice;

	tg_pool_lock();
	slice = tg_slices_add(job->slices);
	tg_pool_unlock();
	if (slice == TG_NO_SLICE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many slices in one job")));
	if (slice == 0)
		tg_progress_set_phase(job->crew->place, TG_PHASE_READING);
	else if (!job->crew->is_called)
		call_workers(job);
	tg_job_wake(job);
	look_after_workers(job);
	tell_progress(job);
}

/*
 * No more slices will be added.
 */
void
tg_job_close(TgJob *job)
{
	tg_pool_lock();
	tg_slices_close(job->slices);
	tg_pool_unlock();
	tg_progress_set_phase(job->crew->place, TG_PHASE_WORKING);
	tg_job_wake(job);
}

/* A slice that the leader runs. */
typedef struct Errand
{
	TgSliceRun	run;
	TgRunSlice	run_slice;
} Errand;

static void
run_errand(void *arg)
{
	Errand	   *errand = arg;

	errand->run_slice(&errand->run);
}

/*
 * As workers have it.
 */
static void
set_up_transaction(void)
{
	static const char *const settings[][2] = {
		{"synchronous_commit", "off"},
		{"transaction_isolation", "read committed"},
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * Run a slice in this session, in a transaction of its own.
 */
static void
do_one_here(TgJob *job, TgRunSlice run_slice)
{
	Errand		errand = {
		.run = {.job = job,.params = job->params,.files = &job->shared->files},
		.run_slice = run_slice
	};
	ErrorData  *error;

	tg_pool_lock();
	errand.run.slice = job->slice = tg_slices_take(job->slices, TG_ANY_WORKER);
	tg_pool_unlock();
	Assert(errand.run.slice != TG_NO_SLICE);

	set_up_transaction();
	error = tg_attempt(run_errand, &errand);
	if (error != NULL && !tg_job_may_retry(job, errand.run.slice, error->sqlerrcode))
		ReThrowError(error);
	SPI_commit();
	if (error == NULL)
		tg_job_finish_slice(job, &errand.run);
	else
	{
		FreeErrorData(error);
		tg_pool_lock();
		tg_slices_put_back(job->slices, errand.run.slice);
		tg_pool_unlock();
	}
}

static bool
is_idle(TgJob *job)
{
	bool		idle;

	tg_pool_lock();
	idle = tg_slices_are_idle(job->slices);
	tg_pool_unlock();
	return idle;
}

static void
wait_for_ends(TgJob *job)
{
	for (int i = 0; i < max_workers(job); i++)
	{
		Member	   *member = &job->crew->members[i];

		if (member->handle != NULL &&
			WaitForBackgroundWorkerShutdown(member->handle) == BGWH_POSTMASTER_DIED)
			ereport(FATAL,
					(errcode(ERRCODE_ADMIN_SHUTDOWN),
					 errmsg("postmaster exited while a bulk job was running")));
	}
}

/*
 * Workers do not wait for the disk with each slice; now that counts for all.
 */
static void
flush_commits(TgJob *job)
{
	XLogRecPtr	last = job->shared->last_commit;

	if (last == InvalidXLogRecPtr || synchronous_commit <= SYNCHRONOUS_COMMIT_OFF)
		return;
	tg_progress_set_phase(job->crew->place, TG_PHASE_FINISHING);
	XLogFlush(last);
	HOLD_INTERRUPTS();
	SyncRepWaitForLSN(last, true);
	RESUME_INTERRUPTS();
}

/*
 * Wait until all slices that have been added are done; do them here if there
 * are no workers.  Call it inside SPI that may end transactions, and in a
 * transaction that has done nothing.
 */
void
tg_job_drain(TgJob *job, TgRunSlice run_slice)
{
	for (;;)
	{
		look_after_workers(job);
		tell_progress(job);
		if (is_idle(job))
			break;
		if (job->crew->nmembers == 0)
		{
			do_one_here(job, run_slice);
			continue;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOOK_MS, tg_wait_event(TG_WAIT_JOB));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * The same when no more will be added; they are on disk then.
 */
void
tg_job_wait(TgJob *job, TgRunSlice run_slice)
{
	tg_job_drain(job, run_slice);
	wait_for_ends(job);
	look_after_workers(job);
	flush_commits(job);
}

/*
 * The sum of a counter over all slices that are done.
 */
int64
tg_job_counter(TgJob *job, int counter)
{
	int64		value;

	tg_pool_lock();
	value = job->shared->counters[counter];
	tg_pool_unlock();
	return value;
}

/*
 * End a job.  If it is not done, its workers are ended before this returns;
 * what they have committed stays.
 */
void
tg_job_end(TgJob *job)
{
	MemoryContext context = job->crew->context;

	/* after an error locks may still be held that workers wait for */
	LWLockReleaseAll();
	HOLD_INTERRUPTS();
	dismiss(job);
	wait_for_ends(job);
	RESUME_INTERRUPTS();

	led = NULL;
	tg_progress_end(job->crew->place);
	dsm_detach(job->segment);
	MemoryContextDelete(context);
}
