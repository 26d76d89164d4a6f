/*-------------------------------------------------------------------------
 *
 * src/worker/copier.c
 *	  The worker that copies tables from peers.
 *
 * It is there while a table is to be copied, and leads the bulk jobs that do
 * it, one table after another.  Any error ends it, and the launcher starts it
 * again; what is copied by then is noted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "transport/copy_table.h"
#include "transport/resume.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/copier.h"
#include "worker/loop.h"

#define LOOK_MS			100		/* how often to look for a table */
#define IDLE_LOOKS		30		/* leave after so many that found none */

/*
 * The next table, and the member to copy it from; NULL if there is none.
 */
static TgMember *
choose(TgTableId *table)
{
	MemoryContext context = CurrentMemoryContext;
	TgMember   *member = NULL;
	TgNodeId	peer;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	if (tg_copy_choose(MyProcPid, table, &peer))
		member = tg_member_find(peer);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return member;
}

/*
 * Copy one table from one peer.  False if none waits for it.
 */
static bool
copy_one(volatile TgTableId *current)
{
	TgTableId	table;
	TgMember   *member = choose(&table);
	TgLink	   *link;

	*current = member != NULL ? table : 0;
	if (member == NULL)
		return false;
	pgstat_report_activity(STATE_RUNNING, "copy a table");
	link = tg_link_open(member->dsn, member->name);
	tg_copy_table(link, member, table);
	tg_link_close(link);
	tg_roster_succeeded();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return true;
}

/*
 * Report the error, leave it where people look for it, and go.  A deadlock is
 * over once it is noticed.
 */
static void
leave_after_error(TgTableId table, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	EmitErrorReport();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK)
		tg_roster_retry_at_once();
	else if (table != 0)
	{
		StartTransactionCommand();
		tg_copy_note_error(table, error->message);
		CommitTransactionCommand();
	}
	proc_exit(1);
}

/*
 * Main function of the copier.
 */
void
topgun_copier_main(Datum arg)
{
	TgWorker	worker;
	MemoryContext context;
	volatile TgTableId table = 0;	/* that is being copied */

	tg_worker_start(arg, "topgun copier", &worker);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	context = AllocSetContextCreate(TopMemoryContext, "topgun copier", ALLOCSET_DEFAULT_SIZES);

	PG_TRY();
	{
		for (int idle = 0; idle < IDLE_LOOKS && tg_roster_is_wanted();)
		{
			MemoryContextSwitchTo(context);
			idle = copy_one(&table) ? 0 : idle + 1;
			MemoryContextReset(context);
			if (idle > 0)
				(void) tg_worker_pause(LOOK_MS);
			tg_worker_take_config();
		}
	}
	PG_CATCH();
	{
		leave_after_error(table, context);
	}
	PG_END_TRY();
	tg_roster_unwant(TG_WORKER_COPIER, 0);
	proc_exit(0);
}
