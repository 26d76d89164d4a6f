/*-------------------------------------------------------------------------
 *
 * test/unit/test_slice.c
 *	  Slices of a job: each is done once, by whom affinity and stealing say.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/slice.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_slice);

#define MAX_SLICES		200

/* What chance has made of a job, and what its workers did. */
typedef struct Job
{
	TgSlices   *slices;
	bool		affinity;
	bool		stealing;
	int			nworkers;
	bool		is_here[TG_MAX_JOB_WORKERS];
	int			running[TG_MAX_JOB_WORKERS];	/* or TG_NO_SLICE */
	bool		done[MAX_SLICES];
	int			nadded;
	int			ndone;
} Job;

static void
begin(Job *job, int nworkers, bool affinity, bool stealing)
{
	memset(job, 0, sizeof(*job));
	job->nworkers = nworkers;
	job->affinity = affinity;
	job->stealing = stealing;
	job->slices = palloc(tg_slices_size(MAX_SLICES));
	tg_slices_init(job->slices, MAX_SLICES, nworkers, affinity, stealing);
	for (int i = 0; i < nworkers; i++)
	{
		tg_slices_enter(job->slices, i);
		job->is_here[i] = true;
		job->running[i] = TG_NO_SLICE;
	}
}

static void
add(Job *job)
{
	CHECK(tg_slices_add(job->slices) == job->nadded);
	job->nadded++;
}

/*
 * How many slices wait where slice "like" would wait.
 */
static int
waiting(Job *job, int queue)
{
	int			n = 0;

	for (int i = 0; i < job->nadded; i++)
		if (job->slices->slices[i].state == TG_SLICE_READY && job->slices->slices[i].queue == queue)
			n++;
	return n;
}

static int
longest_waiting(Job *job)
{
	int			longest = 0;

	for (int i = 0; i < job->slices->nqueues; i++)
		longest = Max(longest, waiting(job, i));
	return longest;
}

/*
 * Which slices were there for the worker is counted before it takes one.
 */
static void
check_take(Job *job, int worker)
{
	int			queue = job->affinity ? worker : 0;
	int			own = waiting(job, queue);
	int			longest = longest_waiting(job);
	int			number = tg_slices_take(job->slices, worker);
	TgSlice    *slice;

	job->running[worker] = number;
	if (number == TG_NO_SLICE)
	{
		CHECK(own == 0 && (!job->stealing || longest == 0));
		for (int i = 0; i < job->slices->nqueues; i++)
			CHECK(job->slices->queues[i].has_owner || waiting(job, i) == 0);
		return;
	}
	slice = &job->slices->slices[number];
	CHECK(!job->done[number]);
	CHECK(slice->state == TG_SLICE_RUNNING && slice->worker == worker);
	CHECK(job->affinity ? slice->queue == number % job->nworkers : slice->queue == 0);
	if (own > 0)
		CHECK(slice->queue == queue);
	else if (job->slices->queues[slice->queue].has_owner)
		CHECK(job->stealing && waiting(job, slice->queue) + 1 == longest);
}

static void
finish(Job *job, int worker)
{
	int			number = job->running[worker];

	tg_slices_finish(job->slices, number);
	CHECK(!job->done[number]);
	job->done[number] = true;
	job->ndone++;
	job->running[worker] = TG_NO_SLICE;
}

static void
give_up(Job *job, int worker)
{
	tg_slices_put_back(job->slices, job->running[worker]);
	job->running[worker] = TG_NO_SLICE;
}

static void
leave(Job *job, int worker)
{
	int			nrunning = job->running[worker] != TG_NO_SLICE;

	CHECK(tg_slices_leave(job->slices, worker) == nrunning);
	job->running[worker] = TG_NO_SLICE;
	job->is_here[worker] = false;
}

static int
nhere(Job *job)
{
	int			n = 0;

	for (int i = 0; i < job->nworkers; i++)
		n += job->is_here[i];
	return n;
}

static void
step(Job *job, int nslices)
{
	int			worker = unit_below(job->nworkers);

	if (job->nadded < nslices && unit_one_in(3))
		add(job);
	if (job->nadded == nslices && !job->slices->is_closed)
		tg_slices_close(job->slices);
	if (!job->is_here[worker])
		return;
	if (unit_one_in(50) && nhere(job) > 1)
		leave(job, worker);
	else if (job->running[worker] == TG_NO_SLICE)
		check_take(job, worker);
	else if (unit_one_in(8))
		give_up(job, worker);
	else
		finish(job, worker);
}

/*
 * Workers take, finish, give up and die as chance has it; while one is left,
 * all slices get done, each once.
 */
static void
check_random_job(void)
{
	Job			job;
	int			nslices = unit_below(unit_one_in(4) ? MAX_SLICES + 1 : 20);
	int			nsteps = 0;

	begin(&job, 1 + unit_below(unit_one_in(10) ? TG_MAX_JOB_WORKERS : 6), unit_one_in(2), unit_one_in(2));
	while (!tg_slices_are_done(job.slices))
	{
		step(&job, nslices);
		CHECK(++nsteps < 1000000);
	}
	CHECK(job.ndone == nslices && job.nadded == nslices);
	for (int i = 0; i < job.nworkers; i++)
		CHECK(job.running[i] == TG_NO_SLICE && tg_slices_take(job.slices, i) == TG_NO_SLICE);
	pfree(job.slices);
}

/*
 * If all workers are gone, somebody without a queue can do the rest.
 */
static void
check_orphans(void)
{
	Job			job;
	int			ntaken = 0;

	begin(&job, 1 + unit_below(5), unit_one_in(2), unit_one_in(2));
	for (int i = 0; i < 30; i++)
		add(&job);
	tg_slices_close(job.slices);
	for (int i = 0; i < job.nworkers; i++)
	{
		check_take(&job, i);
		leave(&job, i);
	}
	for (int slice; (slice = tg_slices_take(job.slices, TG_ANY_WORKER)) != TG_NO_SLICE; ntaken++)
		tg_slices_finish(job.slices, slice);
	CHECK(ntaken == 30 && tg_slices_are_done(job.slices));
	pfree(job.slices);
}

/*
 * The orders that the settings promise, word for word.
 */
static void
check_pinned_orders(void)
{
	Job			job;

	begin(&job, 2, true, true);
	for (int i = 0; i < 6; i++)
		add(&job);
	CHECK(tg_slices_take(job.slices, 0) == 0);
	CHECK(tg_slices_take(job.slices, 0) == 2);
	CHECK(tg_slices_take(job.slices, 1) == 1);
	CHECK(tg_slices_take(job.slices, 0) == 4);
	CHECK(tg_slices_take(job.slices, 0) == 5);	/* stolen from the end */
	CHECK(tg_slices_take(job.slices, 1) == 3);
	CHECK(tg_slices_take(job.slices, 1) == TG_NO_SLICE);
	tg_slices_put_back(job.slices, 4);
	CHECK(tg_slices_take(job.slices, 1) == 4);
	CHECK(job.slices->slices[4].tries == 2);

	begin(&job, 2, true, false);
	for (int i = 0; i < 3; i++)
		add(&job);
	CHECK(tg_slices_take(job.slices, 1) == 1);
	CHECK(tg_slices_take(job.slices, 1) == TG_NO_SLICE);	/* no stealing */
	CHECK(tg_slices_leave(job.slices, 0) == 0);
	CHECK(tg_slices_take(job.slices, 1) == 0);	/* nobody's any more */

	begin(&job, 2, false, false);
	for (int i = 0; i < 3; i++)
		add(&job);
	CHECK(tg_slices_take(job.slices, 1) == 0);
	CHECK(tg_slices_take(job.slices, 0) == 1);
	CHECK(tg_slices_take(job.slices, 1) == 2);

	begin(&job, 1, true, true);
	for (int i = 0; i < MAX_SLICES; i++)
		add(&job);
	CHECK(tg_slices_add(job.slices) == TG_NO_SLICE);
}

/*
 * The suite.
 */
Datum
test_slice(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	check_pinned_orders();
	for (int i = 0; i < rounds / 1000; i++)
	{
		check_random_job();
		check_orphans();
	}
	PG_RETURN_VOID();
}
