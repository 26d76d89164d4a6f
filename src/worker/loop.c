/*-------------------------------------------------------------------------
 *
 * src/worker/loop.c
 *	  What every topgun worker does: start, run tasks, leave.
 *
 * A task that throws ends the worker; the launcher starts it again.  Nothing
 * is retried in place, so no task has to be able to run in a half-failed
 * process.  No other file sleeps, but for the link that waits for a peer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
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
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextReset(scratch);

	return more;
}

/*
 * Run every task that is due; return how long we may sleep, in milliseconds.
 */
static long
run_due_tasks(TgTask *tasks, int ntasks, MemoryContext scratch)
{
	TimestampTz earliest = DT_NOEND;

	for (int i = 0; i < ntasks; i++)
	{
		TgTask	   *task = &tasks[i];
		TimestampTz now = GetCurrentTimestamp();

		if (task->due <= now)
		{
			int			wait_ms = run_task(task, scratch) ? 0 : task->interval_ms;

			task->due = TimestampTzPlusMilliseconds(now, wait_ms);
		}
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
								   Min(timeout_ms, (long) INT_MAX), PG_WAIT_EXTENSION);

	ResetLatch(MyLatch);

	CHECK_FOR_INTERRUPTS();
	tg_worker_take_config();
	return (events & WL_LATCH_SET) != 0;
}

/*
 * Run tasks until SIGTERM, or until the worker is no longer wanted.  A latch
 * that is set makes all tasks due.
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
			for (int i = 0; i < ntasks; i++)
				tasks[i].due = 0;
	}
}
