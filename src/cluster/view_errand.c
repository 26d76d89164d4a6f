/*-------------------------------------------------------------------------
 *
 * src/cluster/view_errand.c
 *	  Changes of the view, made in a background worker.
 *
 * A vote must be on disk before it counts, and a view that was decided stays
 * decided: both want transactions of their own, not that of a user who may
 * still roll back.  So a short-lived worker does it; the session waits, and
 * gets the view or the error through a piece of shared memory.  Nobody waits
 * for what heartbeats start.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "base/error.h"
#include "clock/identity.h"
#include "cluster/rejoin.h"
#include "cluster/view_errand.h"
#include "cluster/view_vote.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/view_store.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_TEXT		2000	/* of each part of a message; of a dsn */

typedef enum ErrandKind
{
	ERRAND_CHANGE, ERRAND_REJOIN, ERRAND_LEARN
} ErrandKind;

typedef enum ErrandEnd
{
	ERRAND_LOST, ERRAND_DONE, ERRAND_FAILED
} ErrandEnd;

/* What the worker gets by itself, in bgw_extra. */
typedef struct Start
{
	Oid			database;
	ErrandKind	kind;
	TgViewReason reason;
	TgNodeId	node;
} Start;

/* In shared memory, if somebody waits; else the worker knows enough. */
typedef struct Errand
{
	TgEpoch		after;
	char		name[NAMEDATALEN];
	char		dsn[MAX_TEXT];

	/* the worker fills in the rest */
	ErrandEnd	end;
	int			sqlstate;
	char		message[MAX_TEXT];
	char		detail[MAX_TEXT];
	char		hint[MAX_TEXT];
} Errand;

static bool
start_worker(const Start *start, dsm_handle handle, BackgroundWorkerHandle **worker_handle)
{
	BackgroundWorker worker = {
		.bgw_name = "topgun membership",
		.bgw_type = "topgun membership",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "topgun",
		.bgw_function_name = "topgun_membership_main",
		.bgw_main_arg = UInt32GetDatum(handle),
		.bgw_notify_pid = worker_handle != NULL ? MyProcPid : 0
	};

	StaticAssertStmt(sizeof(Start) <= BGW_EXTRALEN, "it has room in bgw_extra");
	memcpy(worker.bgw_extra, start, sizeof(*start));
	return RegisterDynamicBackgroundWorker(&worker, worker_handle);
}

static void
report(const Errand *errand)
{
	if (errand->end == ERRAND_LOST)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("lost the worker that changes the membership"),
				 errhint("See the log of the server, and topgun.epoch_history for what has become of it.")));
	if (errand->end == ERRAND_FAILED)
		ereport(ERROR,
				(errcode(errand->sqlstate),
				 errmsg_internal("%s", errand->message),
				 errand->detail[0] != '\0' ? errdetail_internal("%s", errand->detail) : 0,
				 errand->hint[0] != '\0' ? errhint("%s", errand->hint) : 0));
}

/*
 * Have a worker do it, and wait.  Whoever gives up waiting does not stop it.
 */
static TgView *
run(const Start *start, const TgViewChange *change)
{
	dsm_segment *segment = dsm_create(sizeof(Errand), 0);
	Errand	   *errand = dsm_segment_address(segment);
	BackgroundWorkerHandle *handle;

	memset(errand, 0, sizeof(*errand));
	errand->end = ERRAND_LOST;
	if (change != NULL)
	{
		errand->after = change->after;
		strlcpy(errand->name, change->name, sizeof(errand->name));
		if (change->dsn != NULL && strlcpy(errand->dsn, change->dsn, sizeof(errand->dsn)) >= sizeof(errand->dsn))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("connection string is too long"),
					 errdetail("It may have %d bytes.", MAX_TEXT - 1)));
	}
	if (!start_worker(start, dsm_segment_handle(segment), &handle))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no place for a topgun worker"),
				 errhint("Increase max_worker_processes.")));
	if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED)
		proc_exit(1);
	report(errand);
	dsm_detach(segment);
	return tg_view_current();
}

/*
 * tg_view_change(), whatever becomes of the caller's transaction; the newest
 * view afterwards.  Raises the error of it here.
 */
TgView *
tg_view_change_apart(const TgViewChange *change)
{
	Start		start = {
		.database = MyDatabaseId,
		.kind = ERRAND_CHANGE,
		.reason = change->reason,
		.node = change->node
	};

	return run(&start, change);
}

/*
 * tg_rejoin(), in the same way.
 */
TgView *
tg_view_rejoin_apart(void)
{
	Start		start = {.database = MyDatabaseId,.kind = ERRAND_REJOIN};

	return run(&start, NULL);
}

/*
 * Begin to evict a node that seems to have failed, and do not wait for it.
 * Voters have to agree that it has.  What becomes of it is in the log; whoever
 * cares asks again later.
 */
void
tg_view_evict_begin(TgNodeId node)
{
	Start		start = {
		.database = MyDatabaseId,
		.kind = ERRAND_CHANGE,
		.reason = TG_VIEW_FAILURE,
		.node = node
	};

	(void) start_worker(&start, DSM_HANDLE_INVALID, NULL);
}

/*
 * Begin to exchange views with a node that seems to know a newer one.
 */
void
tg_view_learn_begin(TgNodeId from)
{
	Start		start = {.database = MyDatabaseId,.kind = ERRAND_LEARN,.node = from};

	(void) start_worker(&start, DSM_HANDLE_INVALID, NULL);
}

/*
 * The member, in the current memory context; NULL if there is none.
 */
static TgMember *
find_member(TgNodeId node)
{
	MemoryContext context = CurrentMemoryContext;
	TgMember   *member = NULL;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	if (tg_node_id() != 0)
		member = tg_member_find(node);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return member;
}

static void
learn_from(TgNodeId node)
{
	TgMember   *member = find_member(node);

	if (member != NULL)
		tg_view_exchange(tg_link_open(member->dsn, member->name));
}

static void
change_view(const Start *start, const Errand *errand)
{
	TgViewChange change = {.reason = start->reason,.node = start->node};

	if (errand != NULL)
	{
		change.name = errand->name;
		change.dsn = errand->dsn;
		change.after = errand->after;
	}
	else
	{
		TgMember   *member = find_member(start->node);

		if (member == NULL)
			return;
		change.name = member->name;
	}
	(void) tg_view_change(&change);
}

static void
do_errand(const Start *start, const Errand *errand)
{
	switch (start->kind)
	{
		case ERRAND_CHANGE:
			change_view(start, errand);
			break;
		case ERRAND_REJOIN:
			tg_rejoin();
			break;
		case ERRAND_LEARN:
			learn_from(start->node);
			break;
	}
}

static void
take_error(Errand *errand, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	errand->sqlstate = error->sqlerrcode;
	strlcpy(errand->message, error->message, MAX_TEXT);
	if (error->detail != NULL)
		strlcpy(errand->detail, error->detail, MAX_TEXT);
	if (error->hint != NULL)
		strlcpy(errand->hint, error->hint, MAX_TEXT);
	errand->end = ERRAND_FAILED;
}

/*
 * Do an errand for a session that waits: it gets the error.
 */
static void
do_for_session(const Start *start, dsm_handle handle)
{
	MemoryContext context = CurrentMemoryContext;
	dsm_segment *segment = dsm_attach(handle);
	Errand	   *errand;

	if (segment == NULL)
		proc_exit(0);			/* it has gone already */
	dsm_pin_mapping(segment);
	errand = dsm_segment_address(segment);
	PG_TRY();
	{
		do_errand(start, errand);
		errand->end = ERRAND_DONE;
	}
	PG_CATCH();
	{
		take_error(errand, context);
	}
	PG_END_TRY();
	dsm_detach(segment);
}

/*
 * The life of the worker.  Signals are set up.
 */
void
tg_view_errand_main(Datum arg)
{
	dsm_handle	handle = DatumGetUInt32(arg);
	Start		start;

	memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));
	BackgroundWorkerInitializeConnectionByOid(start.database, InvalidOid, 0);
	SetConfigOption("application_name", "topgun membership", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("lock_timeout", "10s", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "topgun membership",
												ALLOCSET_DEFAULT_SIZES));
	if (handle == DSM_HANDLE_INVALID)
		do_errand(&start, NULL);
	else
		do_for_session(&start, handle);
}
