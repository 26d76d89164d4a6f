/*-------------------------------------------------------------------------
 *
 * src/api/cluster.c
 *	  SQL functions that make and watch a cluster.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/asker.h"
#include "base/failpoint.h"
#include "clock/epoch.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/detector.h"
#include "cluster/join.h"
#include "cluster/leave.h"
#include "cluster/membership.h"
#include "cluster/sync.h"
#include "fmgr.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "journal/segment.h"
#include "miscadmin.h"
#include "row/gc_floor.h"
#include "row/stamp.h"
#include "transport/accepted.h"
#include "transport/incarnation.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/joiner.h"
#include "worker/roster.h"

PG_FUNCTION_INFO_V1(topgun_create_cluster);
PG_FUNCTION_INFO_V1(topgun_join);
PG_FUNCTION_INFO_V1(topgun_leave);
PG_FUNCTION_INFO_V1(topgun_wait_for_sync);
PG_FUNCTION_INFO_V1(topgun_sync_state);
PG_FUNCTION_INFO_V1(topgun_unique_id);
PG_FUNCTION_INFO_V1(topgun_failpoint);
PG_FUNCTION_INFO_V1(topgun_forget_identity);

/* What this transaction has made of the database, for its end. */
static struct
{
	bool		is_node;
	bool		is_no_node;
}			made;

/*
 * Nothing is known of a node that this database may have been.
 */
static void
forget_node(void)
{
	tg_node_id_forget();
	tg_epoch_forget();
	tg_incarnation_forget();
	tg_accepted_forget();
	tg_detector_forget();
	tg_segment_forget();
	tg_gc_floor_forget();
	tg_mark_forget();
	tg_inflight_forget();
}

static void
end_transaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
		return;
	if (event == XACT_EVENT_COMMIT && made.is_no_node)
		forget_node();
	if (event == XACT_EVENT_COMMIT ? made.is_node : made.is_no_node)
		tg_roster_want(TG_WORKER_JANITOR, 0);
	made.is_node = made.is_no_node = false;
}

static void
follow_transaction(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(end_transaction, NULL);
	registered = true;
}

static void
start_workers_later(void)
{
	follow_transaction();
	made.is_node = true;
}

static char *
require_text(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * topgun.create_cluster(node_name, dsn): this database becomes node 1.
 */
Datum
topgun_create_cluster(PG_FUNCTION_ARGS)
{
	char	   *name = require_text(fcinfo, 0, "node name");
	char	   *dsn = require_text(fcinfo, 1, "connection string");
	TgNodeId	node;

	PreventCommandDuringRecovery("topgun.create_cluster()");
	node = tg_create_cluster(name, dsn);
	start_workers_later();
	PG_RETURN_INT32(node);
}

/*
 * What a join makes of the database is committed while its caller waits, and
 * waits for everybody else.
 */
static void
require_no_block(void)
{
	if (IsTransactionBlock() || IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("topgun.join() cannot run inside a transaction block"),
				 errhint("It commits as it goes. Call it by itself.")));
}

/*
 * topgun.join(node_name, dsn, via): this database becomes a node of the
 * cluster of the member reachable at "via".  Called again, it waits for the
 * copies that are still being made.
 */
Datum
topgun_join(PG_FUNCTION_ARGS)
{
	char	   *name = require_text(fcinfo, 0, "node name");
	char	   *dsn = require_text(fcinfo, 1, "connection string");
	char	   *via = require_text(fcinfo, 2, "connection string of a member");
	TgNodeId	node = 0;

	PreventCommandDuringRecovery("topgun.join()");
	require_no_block();
	if (tg_node_id() != 0)
		node = tg_join_resumed(name, dsn);
	if (node == 0)
	{
		tg_require_not_a_node();
		node = tg_join_in_background(name, dsn, via);
	}
	tg_join_wait();
	PG_RETURN_INT32(node);
}

/*
 * topgun.leave(): this database is no node any more, its tables are ordinary
 * ones.
 */
Datum
topgun_leave(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.leave()");
	(void) tg_node_id_required();
	tg_leave_view();
	TG_FAILPOINT("leave-after-view");

	follow_transaction();
	made.is_no_node = true;
	tg_roster_clear_database(MyDatabaseId);
	tg_leave_nothing();
	PG_RETURN_VOID();
}

/*
 * topgun.wait_for_sync(timeout): have all members all that is committed here
 * now, and have we all that they had?
 */
Datum
topgun_wait_for_sync(PG_FUNCTION_ARGS)
{
	Interval   *timeout;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("timeout must not be null")));
	timeout = PG_GETARG_INTERVAL_P(0);
	if (timeout->time < 0 || timeout->day < 0 || timeout->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout must be a positive time of days or less")));
	PreventCommandDuringRecovery("topgun.wait_for_sync()");
	(void) tg_node_id_required();
	PG_RETURN_BOOL(tg_wait_for_sync(timeout->day * SECS_PER_DAY * 1000L + timeout->time / 1000));
}

/*
 * topgun_internal.sync_state(asker): our last position, how far we are with
 * the asker, and whether all our tables are in step.
 */
Datum
topgun_sync_state(PG_FUNCTION_ARGS)
{
	TgSpeaker	asker = tg_asker_require(PG_GETARG_BYTEA_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(tg_sync_state_text(asker.node)));
}

/*
 * topgun.unique_id(): an id that no node of the cluster gives twice.  It is a
 * stamp with the sign bit clear, so later ones of a node are greater.
 */
Datum
topgun_unique_id(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.unique_id()");
	PG_RETURN_INT64((int64) (tg_clock_tick(tg_node_id_required()) & PG_INT64_MAX));
}

/*
 * topgun_internal.failpoint(name, action): arm a place where tests stop, break
 * or kill a process.
 */
Datum
topgun_failpoint(PG_FUNCTION_ARGS)
{
	static const char *const actions[] = {
		[TG_FAIL_OFF] = "off",
		[TG_FAIL_ERROR] = "error",
		[TG_FAIL_PAUSE] = "pause",
		[TG_FAIL_LOCK] = "lock",
		[TG_FAIL_EXIT] = "exit",
		[TG_FAIL_CRASH] = "crash",
	};
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *action = text_to_cstring(PG_GETARG_TEXT_PP(1));

	for (int i = 0; i < lengthof(actions); i++)
	{
		if (strcmp(actions[i], action) == 0)
		{
			tg_failpoint_set(name, i);
			PG_RETURN_VOID();
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown failpoint action \"%s\"", action),
			 errhint("Use off, error, pause, lock, exit or crash.")));
}

/*
 * The install script runs this: a database that has just got the extension is
 * no node, whatever it was before.
 */
Datum
topgun_forget_identity(PG_FUNCTION_ARGS)
{
	forget_node();
	PG_RETURN_VOID();
}
