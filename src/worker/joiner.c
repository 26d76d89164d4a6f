/*-------------------------------------------------------------------------
 *
 * src/worker/joiner.c
 *	  The first part of a join, in a process of its own.
 *
 * It has to be committed before the copies can begin, which the caller of
 * topgun.join() waits for, and a function cannot end its caller's transaction.
 * What the process has to say comes through a queue.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/wait.h"
#include "cluster/join.h"
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/joiner.h"
#include "worker/roster.h"

#define ATTEMPTS		3		/* of a node that is removed while it joins */
#define QUEUE_BYTES		16384
#define LOOK_MS			200

/* At the beginning of the memory segment; then the texts, then the queue. */
typedef struct JoinTask
{
	Oid			database;
	TgNodeId	node;			/* the result; 0: none */
	Size		queue_at;
	Size		dsn_at;			/* of the texts, in "texts" */
	Size		via_at;
	char		texts[FLEXIBLE_ARRAY_MEMBER];	/* the first is the name */
} JoinTask;

/* What the caller has of the process. */
typedef struct Joiner
{
	dsm_segment *segment;
	JoinTask   *task;
	shm_mq_handle *queue;
	BackgroundWorkerHandle *handle;
} Joiner;

static shm_mq *
queue_of(JoinTask *task)
{
	return (shm_mq *) ((char *) task + task->queue_at);
}

static void
create_task(Joiner *joiner, const char *name, const char *dsn, const char *via)
{
	Size		dsn_at = strlen(name) + 1;
	Size		via_at = dsn_at + strlen(dsn) + 1;
	Size		queue_at = MAXALIGN(offsetof(JoinTask, texts) + via_at + strlen(via) + 1);
	JoinTask   *task;
	shm_mq	   *queue;

	joiner->segment = dsm_create(queue_at + QUEUE_BYTES, 0);
	joiner->task = task = dsm_segment_address(joiner->segment);
	task->database = MyDatabaseId;
	task->node = 0;
	task->queue_at = queue_at;
	task->dsn_at = dsn_at;
	task->via_at = via_at;
	strcpy(task->texts, name);
	strcpy(task->texts + dsn_at, dsn);
	strcpy(task->texts + via_at, via);
	queue = shm_mq_create(queue_of(task), QUEUE_BYTES);
	shm_mq_set_receiver(queue, MyProc);
	joiner->queue = shm_mq_attach(queue, joiner->segment, NULL);
}

static void
start_process(Joiner *joiner)
{
	BackgroundWorker worker = {
		.bgw_name = "topgun joiner",
		.bgw_type = "topgun joiner",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "topgun",
		.bgw_function_name = "topgun_joiner_main",
		.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(joiner->segment)),
		.bgw_notify_pid = MyProcPid
	};

	if (!RegisterDynamicBackgroundWorker(&worker, &joiner->handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start a process for the join"),
				 errhint("Increase max_worker_processes.")));
	shm_mq_set_handle(joiner->queue, joiner->handle);
}

/*
 * Raise here what the process has to say.
 */
static void
handle_message(const char *data, Size len)
{
	StringInfoData message;
	ErrorData	error;
	char		type;

	initStringInfo(&message);
	appendBinaryStringInfo(&message, data, len);
	type = pq_getmsgbyte(&message);
	if (type == 'E' || type == 'N')
	{
		pq_parse_errornotice(&message, &error);
		error.elevel = Min(error.elevel, ERROR);	/* it has ended, not we */
		ThrowErrorData(&error);
	}
	pfree(message.data);
}

static void
read_messages(Joiner *joiner)
{
	Size		len;
	void	   *data;

	while (shm_mq_receive(joiner->queue, &len, &data, true) == SHM_MQ_SUCCESS)
		handle_message(data, len);
}

/*
 * Wait until the process has ended.
 */
static void
wait_for_end(Joiner *joiner)
{
	for (;;)
	{
		pid_t		pid;
		bool		has_ended = GetBackgroundWorkerPid(joiner->handle, &pid) == BGWH_STOPPED;

		read_messages(joiner);
		if (has_ended)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOOK_MS, tg_wait_event(TG_WAIT_JOB));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * The caller is cancelled: so is the process, unless it is done.
 */
static void
end_process(Joiner *joiner)
{
	HOLD_INTERRUPTS();
	TerminateBackgroundWorker(joiner->handle);
	(void) WaitForBackgroundWorkerShutdown(joiner->handle);
	RESUME_INTERRUPTS();
}

/*
 * Run tg_join_begin() in another process and wait for its end; the id of the
 * node.  Its error is raised here, and then nothing has changed but that the
 * cluster may know of the node.
 */
TgNodeId
tg_join_in_background(const char *name, const char *dsn, const char *via)
{
	Joiner		joiner;
	TgNodeId	node;

	create_task(&joiner, name, dsn, via);
	start_process(&joiner);
	PG_TRY();
	{
		wait_for_end(&joiner);
	}
	PG_CATCH();
	{
		end_process(&joiner);
		PG_RE_THROW();
	}
	PG_END_TRY();
	node = joiner.task->node;
	dsm_detach(joiner.segment);
	if (node == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the process for the join has ended before it was done"),
				 errhint("Call topgun.join() again.")));
	return node;
}

static TgNodeId
join(const JoinTask *task)
{
	TgNodeId	node;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	node = tg_join_begin(task->texts, task->texts + task->dsn_at, task->texts + task->via_at);
	PopActiveSnapshot();
	CommitTransactionCommand();
	return node;
}

/*
 * False if the view of the cluster changed meanwhile, even without us in it:
 * whoever is admitted again learns the new one.
 */
static bool
try_join(const JoinTask *task, bool is_last, TgNodeId *node)
{
	volatile bool done = true;

	PG_TRY();
	{
		*node = join(task);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_TG_STALE_EPOCH &&
			(is_last || geterrcode() != ERRCODE_TG_FENCED))
			PG_RE_THROW();
		HOLD_INTERRUPTS();
		AbortOutOfAnyTransaction();
		FlushErrorState();
		RESUME_INTERRUPTS();
		done = false;
	}
	PG_END_TRY();
	return done;
}

/*
 * The main function of the process.  Its argument is the memory segment.
 */
void
topgun_joiner_main(Datum arg)
{
	dsm_segment *segment;
	JoinTask   *task;
	shm_mq	   *queue;
	TgNodeId	node;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* the caller has gone already */
	task = dsm_segment_address(segment);
	queue = queue_of(task);
	shm_mq_set_sender(queue, MyProc);
	pq_redirect_to_shm_mq(segment, shm_mq_attach(queue, segment, NULL));
	BackgroundWorkerInitializeConnectionByOid(task->database, InvalidOid, 0);
	SetConfigOption("application_name", "topgun joiner", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);

	pgstat_report_activity(STATE_RUNNING, "join a cluster");
	for (int i = 1; !try_join(task, i >= ATTEMPTS, &node); i++)
		CHECK_FOR_INTERRUPTS();
	tg_roster_want(TG_WORKER_JANITOR, 0);
	task->node = node;
	proc_exit(0);
}
