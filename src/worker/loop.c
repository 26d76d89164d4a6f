/*-------------------------------------------------------------------------
 *
 * src/worker/loop.c
 *	  What every topgun worker does: start, run tasks, leave.
 *
 * A task that throws is reported, its transaction aborted, and the next task
 * runs; the one that failed has to wait longer each time.  No other file
 * sleeps, but for the link that waits for a peer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "base/wait.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/loop.h"

#define MAX_PAUSE_MS		(5 * 60 * 1000) /* of a task that keeps failing */
#define MAX_BUSY_PAUSE_MS	(10 * 1000) /* if others were only in its way */

/*
 * First steps of a worker: signals, its place in the roster, the database.
 */
void
tg_worker_start(Datum arg, const char *name, TgWorker *worker)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	tg_roster_attach(arg, worker);
	BackgroundWorkerInitializeConnectionByOid(worker->database, InvalidOid, 0);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
}

/*
 * Run one task in a transaction of its own.
 */
static bool
run_task(TgTask *task, MemoryContext scratch)
{
	bool		more;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, task->name);

	MemoryContextSwitchTo(scratch);
	more = task->run();

	PopActiveSnapshot();
	CommitTransactionCommand();

	return more;
}

static void
name_task(void *arg)
{
	errcontext("task \"%s\"", ((TgTask *) arg)->name);
}

/*
 * How often a task runs, as the settings are now; 0: not at all.
 */
static int
interval_of(const TgTask *task)
{
	return task->setting_ms != NULL ? *task->setting_ms : task->interval_ms;
}

/*
 * How long a task waits that has failed: twice as long each time.
 */
static int
pause_after(const TgTask *task, int sqlstate)
{
	bool		was_busy = sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
	ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TRANSACTION_ROLLBACK;
	int64		pause_ms = (int64) interval_of(task) << Min(task->failures, 20);

	return Min(pause_ms, was_busy ? MAX_BUSY_PAUSE_MS : MAX_PAUSE_MS);
}

/*
 * Report the current error and leave the transaction it came from; its
 * SQLSTATE.  As in the main loop of PostgreSQL's autovacuum launcher.
 */
static int
recover(void)
{
	int			sqlstate = geterrcode();

	HOLD_INTERRUPTS();
	QueryCancelPending = false;
	EmitErrorReport();
	AbortOutOfAnyTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
	return sqlstate;
}

/*
 * Run one task, and see that the others can go on if it fails; how long it
 * has to wait then, in milliseconds.
 */
static int
try_task(TgTask *task, MemoryContext scratch)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = name_task,
		.arg = task
	};
	volatile int wait_ms = 0;

	error_context_stack = &callback;
	PG_TRY();
	{
		if (!run_task(task, scratch))
			wait_ms = interval_of(task);
		task->failures = 0;
	}
	PG_CATCH();
	{
		int			sqlstate = recover();

		task->failures++;
		wait_ms = pause_after(task, sqlstate);
	}
	PG_END_TRY();
	error_context_stack = callback.previous;

	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);

	/*
	 * not where the task's last transaction began: since 18 a commit leads
	 * there
	 */
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(scratch);
	return wait_ms;
}

/*
 * A setting that has become shorter holds at once.
 */
static void
follow_setting(TgTask *task, TimestampTz now)
{
	if (task->setting_ms != NULL && task->failures == 0)
		task->due = Min(task->due, TimestampTzPlusMilliseconds(now, interval_of(task)));
}

/*
 * Run every task that is due; return how long we may sleep, in milliseconds.
 */
static long
run_due_tasks(TgTask *tasks, int ntasks, MemoryContext scratch)
{
	TimestampTz earliest = DT_NOEND;

	for (int i = 0; i < ntasks && tg_roster_is_wanted(); i++)
	{
		TgTask	   *task = &tasks[i];
		TimestampTz now = GetCurrentTimestamp();

		if (interval_of(task) == 0)
			continue;
		follow_setting(task, now);
		if (task->due <= now)
			task->due = TimestampTzPlusMilliseconds(now, try_task(task, scratch));
		earliest = Min(earliest, task->due);
	}

	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), earliest);
}

/*
 * Take over a changed configuration file, if there is one.
 */
void
tg_worker_take_config(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/*
 * Sleep until the latch is set or the time is over; take interrupts and a new
 * configuration.  True if it was the latch.
 */
bool
tg_worker_pause(long timeout_ms)
{
	int			events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
								   Min(timeout_ms, (long) INT_MAX), tg_wait_event(TG_WAIT_IDLE));

	ResetLatch(MyLatch);

	CHECK_FOR_INTERRUPTS();
	tg_worker_take_config();
	return (events & WL_LATCH_SET) != 0;
}

static void
make_all_due(TgTask *tasks, int ntasks)
{
	for (int i = 0; i < ntasks; i++)
		if (tasks[i].failures == 0 && !tasks[i].ignores_latch)
			tasks[i].due = 0;
}

/*
 * Run tasks until SIGTERM, or until the worker is no longer wanted.  A latch
 * that is set makes tasks due, but for those that have failed or ignore it.
 */
void
tg_worker_loop(TgTask *tasks, int ntasks)
{
	MemoryContext scratch = AllocSetContextCreate(TopMemoryContext,
												  "topgun task",
												  ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		long		sleep_ms = run_due_tasks(tasks, ntasks, scratch);

		tg_roster_succeeded();
		if (!tg_roster_is_wanted())
			proc_exit(0);
		if (tg_worker_pause(sleep_ms))
			make_all_due(tasks, ntasks);
	}
}
