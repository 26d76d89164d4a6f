/*-------------------------------------------------------------------------
 *
 * src/worker/launcher.c
 *	  Starts all other workers.
 *
 * The launcher is the one static worker.  It is connected to no database,
 * since which of them are nodes can only be seen from inside: at its start it
 * sends a janitor into each, and those that find nothing to do leave.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/launcher.h"
#include "worker/loop.h"

#define LONGEST_SLEEP_MS	10000
#define RESTART_SECONDS		1

/* What each kind of worker is called, and where it begins. */
static const struct
{
	const char *title;
	const char *function;
}			kinds[] = {
	[TG_WORKER_COPIER] = {"topgun copier", "topgun_copier_main"},
	[TG_WORKER_FOLDER] = {"topgun folder", "topgun_folder_main"},
	[TG_WORKER_JANITOR] = {"topgun janitor", "topgun_janitor_main"},
	[TG_WORKER_PULLER] = {"topgun puller", "topgun_puller_main"},
	[TG_WORKER_PULSE] = {"topgun pulse", "topgun_pulse_main"},
	[TG_WORKER_REPAIRER] = {"topgun repairer", "topgun_repairer_main"},
};

/*
 * Make the launcher known.  Call from _PG_init() while libraries are preloaded.
 */
void
tg_launcher_register(void)
{
	BackgroundWorker worker = {
		.bgw_name = "topgun launcher",
		.bgw_type = "topgun launcher",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = RESTART_SECONDS,
		.bgw_library_name = "topgun",
		.bgw_function_name = "topgun_launcher_main"
	};

	RegisterBackgroundWorker(&worker);
}

static void
visit_databases(void)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (database->datallowconn && !database->datistemplate)
			tg_roster_want_in(database->oid);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
}

static void
start_worker(int place, const TgWorker *wanted)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "topgun",
		.bgw_main_arg = tg_roster_arg(place, wanted->generation),
		.bgw_notify_pid = MyProcPid
	};

	if (wanted->peer != 0)
		snprintf(worker.bgw_name, BGW_MAXLEN, "%s of node %d", kinds[wanted->kind].title, wanted->peer);
	else
		strlcpy(worker.bgw_name, kinds[wanted->kind].title, BGW_MAXLEN);
	strlcpy(worker.bgw_type, kinds[wanted->kind].title, BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, kinds[wanted->kind].function, BGW_MAXLEN);

	if (RegisterDynamicBackgroundWorker(&worker, NULL))
		return;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("no place for a topgun worker"),
			 errhint("Increase max_worker_processes.")));
	tg_roster_start_failed(place);
}

static long
start_due_workers(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz earliest = TimestampTzPlusMilliseconds(now, LONGEST_SLEEP_MS);
	TgWorker	worker;
	int			place;

	while ((place = tg_roster_next_start(&worker, now, &earliest)) >= 0)
		start_worker(place, &worker);
	return TimestampDifferenceMilliseconds(now, earliest);
}

/*
 * Main function of the launcher.
 */
void
topgun_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	tg_roster_launcher_attach();
	visit_databases();
	for (;;)
		(void) tg_worker_pause(start_due_workers());
}
