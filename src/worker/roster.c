/*-------------------------------------------------------------------------
 *
 * src/worker/roster.c
 *	  Which workers there should be, and which there are.
 *
 * The janitor of a database says which workers it wants; the launcher starts
 * them, again and again with growing pauses if they fail.  A place that is
 * used again has another generation, so a late starter finds out that it is
 * no longer meant.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "base/guc.h"
#include "base/wait.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/wait_event.h"
#include "utils/timestamp.h"
#include "worker/roster.h"

#define MAX_PAUSE_FACTOR	10	/* of topgun.retry_interval */
#define START_TIMEOUT_MS	30000
#define CLEAR_TIMEOUT_MS	5000

typedef struct RosterShared
{
	LWLock	   *lock;			/* protects the rest */
	Latch	   *launcher;		/* NULL while it is not running */
	TgWorker	workers[TG_MAX_WORKERS];
} RosterShared;

static RosterShared *shared = NULL;
static TgWorker *myself = NULL; /* our place, in a worker */

static void
lock_roster(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
}

static void
unlock_roster(void)
{
	LWLockRelease(shared->lock);
}

static void
wake_launcher(void)
{
	Assert(LWLockHeldByMe(shared->lock));
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
}

static TgWorker *
find(Oid database, TgWorkerKind kind, TgNodeId peer)
{
	for (int i = 0; i < TG_MAX_WORKERS; i++)
	{
		TgWorker   *worker = &shared->workers[i];

		if (worker->state != TG_WORKER_FREE && worker->database == database &&
			worker->kind == kind && worker->peer == peer)
			return worker;
	}
	return NULL;
}

static TgWorker *
find_free(void)
{
	for (int i = 0; i < TG_MAX_WORKERS; i++)
		if (shared->workers[i].state == TG_WORKER_FREE)
			return &shared->workers[i];
	return NULL;
}

static void
want(Oid database, TgWorkerKind kind, TgNodeId peer)
{
	TgWorker   *worker;
	bool		is_full = false;

	lock_roster();
	worker = find(database, kind, peer);
	if (worker != NULL)
		worker->is_unwanted = false;
	else if ((worker = find_free()) != NULL)
	{
		uint32		generation = worker->generation + 1;

		*worker = (TgWorker)
		{
			.state = TG_WORKER_WAITING,
				.generation = generation,
				.database = database,
				.kind = kind,
				.peer = peer
		};
		wake_launcher();
	}
	else
		is_full = true;
	unlock_roster();

	if (is_full)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many topgun workers"),
				 errdetail("There can be at most %d.", TG_MAX_WORKERS)));
}

/*
 * There should be this worker in our database.
 */
void
tg_roster_want(TgWorkerKind kind, TgNodeId peer)
{
	want(MyDatabaseId, kind, peer);
}

/*
 * There should be a janitor in that database; it leaves if the database is not
 * a node.
 */
void
tg_roster_want_in(Oid database)
{
	want(database, TG_WORKER_JANITOR, 0);
}

/*
 * This worker of our database should leave, if it is there.
 */
void
tg_roster_unwant(TgWorkerKind kind, TgNodeId peer)
{
	TgWorker   *worker;

	lock_roster();
	worker = find(MyDatabaseId, kind, peer);
	if (worker != NULL && worker->state == TG_WORKER_WAITING)
		worker->state = TG_WORKER_FREE;
	else if (worker != NULL)
	{
		worker->is_unwanted = true;
		if (worker->pid != 0 && worker != myself)
			kill(worker->pid, SIGTERM);
	}
	unlock_roster();
}

/*
 * Tell the workers of a database to leave; the number that has not yet.
 */
static int
dismiss_workers(Oid database)
{
	int			left = 0;

	lock_roster();
	for (int i = 0; i < TG_MAX_WORKERS; i++)
	{
		TgWorker   *worker = &shared->workers[i];

		if (worker->database != database)
			continue;
		if (worker->state == TG_WORKER_WAITING)
			worker->state = TG_WORKER_FREE;
		if (worker->state == TG_WORKER_FREE)
			continue;
		if (worker->pid != 0 && worker != myself && !worker->is_unwanted)
			kill(worker->pid, SIGTERM);
		worker->is_unwanted = true;
		left++;
	}
	unlock_roster();
	return left;
}

/*
 * All workers of our database should leave.
 */
void
tg_roster_unwant_all(void)
{
	(void) dismiss_workers(MyDatabaseId);
}

/*
 * The peer is there, since it has asked us: a puller of it that pauses after
 * failures need not wait any longer.
 */
void
tg_roster_hurry(TgNodeId peer)
{
	TgWorker   *worker;

	lock_roster();
	worker = find(MyDatabaseId, TG_WORKER_PULLER, peer);
	if (worker != NULL && worker->state == TG_WORKER_WAITING)
	{
		worker->start_after = 0;
		wake_launcher();
	}
	unlock_roster();
}

/*
 * Have all workers of a database leave it, and wait a moment until they have.
 */
void
tg_roster_clear_database(Oid database)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CLEAR_TIMEOUT_MS);

	while (dismiss_workers(database) > 0 && GetCurrentTimestamp() < deadline)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 10, tg_wait_event(TG_WAIT_PAUSE));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Wake the workers of one kind in our database.
 */
void
tg_roster_wake(TgWorkerKind kind)
{
	lock_roster();
	for (int i = 0; i < TG_MAX_WORKERS; i++)
	{
		TgWorker   *worker = &shared->workers[i];
		PGPROC	   *proc;

		if (worker->state != TG_WORKER_RUNNING || worker->kind != kind ||
			worker->database != MyDatabaseId)
			continue;
		proc = BackendPidGetProc(worker->pid);
		if (proc != NULL)
			SetLatch(&proc->procLatch);
	}
	unlock_roster();
}

static void
detach_launcher(int code, Datum arg)
{
	lock_roster();
	shared->launcher = NULL;
	unlock_roster();
}

/*
 * We are the launcher: wake us when there is something to start.
 */
void
tg_roster_launcher_attach(void)
{
	lock_roster();
	shared->launcher = MyLatch;
	unlock_roster();
	before_shmem_exit(detach_launcher, (Datum) 0);
}

/*
 * The place of a worker that is to be started now, and a copy of it; -1 if
 * there is none, then earliest says when there will be one.
 */
int
tg_roster_next_start(TgWorker *worker, TimestampTz now, TimestampTz *earliest)
{
	int			place = -1;

	lock_roster();
	for (int i = 0; i < TG_MAX_WORKERS && place < 0; i++)
	{
		TgWorker   *candidate = &shared->workers[i];

		if (candidate->state == TG_WORKER_STARTING &&
			TimestampDifferenceExceeds(candidate->started, now, START_TIMEOUT_MS))
			candidate->state = TG_WORKER_WAITING;
		if (candidate->state != TG_WORKER_WAITING)
			continue;
		if (candidate->start_after > now)
		{
			*earliest = Min(*earliest, candidate->start_after);
			continue;
		}
		candidate->state = TG_WORKER_STARTING;
		candidate->started = now;
		*worker = *candidate;
		place = i;
	}
	unlock_roster();
	return place;
}

/*
 * When to start a worker again that has failed.  Lock held.
 */
static void
set_pause(TgWorker *worker)
{
	int64		pause_ms = 0;

	if (worker->failures >= 0)
		pause_ms = (int64) tg_retry_interval_ms << Min(worker->failures, 10);
	worker->start_after = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  Min(pause_ms, (int64) tg_retry_interval_ms * MAX_PAUSE_FACTOR));
	worker->failures = Max(worker->failures, 0) + 1;
}

/*
 * The worker could not be started.
 */
void
tg_roster_start_failed(int place)
{
	TgWorker   *worker = &shared->workers[place];

	lock_roster();
	if (worker->state == TG_WORKER_STARTING)
	{
		worker->state = TG_WORKER_WAITING;
		set_pause(worker);
	}
	unlock_roster();
}

/*
 * The argument of a worker's main function.
 */
Datum
tg_roster_arg(int place, uint32 generation)
{
	return UInt32GetDatum((generation << 8) | place);
}

static void
detach(int code, Datum arg)
{
	lock_roster();
	myself->pid = 0;
	if (myself->is_unwanted)
		myself->state = TG_WORKER_FREE;
	else
	{
		myself->state = TG_WORKER_WAITING;
		set_pause(myself);
		wake_launcher();
	}
	unlock_roster();
}

/*
 * We are a worker: take our place, and copy what is written there.  Leaves the
 * process if it is no longer meant for us.
 */
void
tg_roster_attach(Datum arg, TgWorker *worker)
{
	uint32		place = DatumGetUInt32(arg) & (TG_MAX_WORKERS - 1);
	uint32		generation = DatumGetUInt32(arg) >> 8;
	TgWorker   *entry = &shared->workers[place];
	bool		is_ours;

	lock_roster();
	is_ours = entry->state == TG_WORKER_STARTING && (entry->generation & 0xFFFFFF) == generation;
	if (is_ours && entry->is_unwanted)
	{
		entry->state = TG_WORKER_FREE;
		is_ours = false;
	}
	if (is_ours)
	{
		entry->state = TG_WORKER_RUNNING;
		entry->pid = MyProcPid;
		entry->started = GetCurrentTimestamp();
		*worker = *entry;
	}
	unlock_roster();
	if (!is_ours)
		proc_exit(0);

	myself = entry;
	before_shmem_exit(detach, (Datum) 0);
}

/*
 * This worker has done something useful: a later failure is a first one.
 */
void
tg_roster_succeeded(void)
{
	if (myself->failures > 0)
	{
		lock_roster();
		myself->failures = 0;
		unlock_roster();
	}
}

/*
 * This worker fails for a reason that is gone by now, as a deadlock: no pause.
 */
void
tg_roster_retry_at_once(void)
{
	lock_roster();
	myself->failures = -1;
	unlock_roster();
}

/*
 * This worker fails for a reason that should be gone in a moment: no pause the
 * first time.
 */
void
tg_roster_retry_soon(void)
{
	lock_roster();
	if (myself->failures == 0)
		myself->failures = -1;
	unlock_roster();
}

/*
 * Shall this worker go on?
 */
bool
tg_roster_is_wanted(void)
{
	return !myself->is_unwanted;
}

/*
 * Copies of the workers of our database; there is room for TG_MAX_WORKERS.
 */
int
tg_roster_list(TgWorker *workers)
{
	int			n = 0;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < TG_MAX_WORKERS; i++)
		if (shared->workers[i].state != TG_WORKER_FREE &&
			shared->workers[i].database == MyDatabaseId)
			workers[n++] = shared->workers[i];
	LWLockRelease(shared->lock);
	return n;
}

Size
tg_roster_shmem_size(void)
{
	return sizeof(RosterShared);
}

void
tg_roster_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun roster")->lock;
}
