/*-------------------------------------------------------------------------
 *
 * src/api/views.c
 *	  Result sets behind the monitoring views.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/scrub.h"
#include "clock/epoch.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/detector.h"
#include "fmgr.h"
#include "funcapi.h"
#include "journal/backlog.h"
#include "journal/inflight.h"
#include "journal/segment.h"
#include "merge/stat.h"
#include "row/stamp.h"
#include "row/sweep.h"
#include "transport/difference.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/table_stat.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/roster.h"

PG_FUNCTION_INFO_V1(topgun_node_status);
PG_FUNCTION_INFO_V1(topgun_peer_status);
PG_FUNCTION_INFO_V1(topgun_peer_backlog);
PG_FUNCTION_INFO_V1(topgun_merge_status);
PG_FUNCTION_INFO_V1(topgun_stats_since);
PG_FUNCTION_INFO_V1(topgun_stat_reset);
PG_FUNCTION_INFO_V1(topgun_table_counts);
PG_FUNCTION_INFO_V1(topgun_worker_status);

#define MAX_COLUMNS		48

/* A row of a result, filled column by column. */
typedef struct ResultRow
{
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];
	int			n;
} ResultRow;

static void
put(ResultRow *row, Datum value)
{
	Assert(row->n < MAX_COLUMNS);
	row->values[row->n++] = value;
}

static void
put_if(ResultRow *row, bool known, Datum value)
{
	row->nulls[row->n] = !known;
	put(row, value);
}

static void
put_text(ResultRow *row, const char *text)
{
	put(row, CStringGetTextDatum(text));
}

static void
put_counts(ResultRow *row, const TgMergeCounts *counts)
{
	put(row, Int64GetDatum(counts->applied));
	put(row, Int64GetDatum(counts->older));
	put(row, Int64GetDatum(counts->equal));
	put(row, Int64GetDatum(counts->conflicts));
	put(row, Int64GetDatum(counts->conflicts - counts->conflicts_lost));
	put(row, Int64GetDatum(counts->conflicts_lost));
	for (int i = 0; i < TG_CONFLICT_KINDS; i++)
		put(row, Int64GetDatum(counts->conflicts_of[i]));
	put(row, Int64GetDatum(counts->quarantined));
}

static Datum
to_record(FunctionCallInfo fcinfo, ResultRow *row)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	Assert(desc->natts == row->n);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row->values, row->nulls));
}

static void
emit(FunctionCallInfo fcinfo, ResultRow *row)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	Assert(result->setDesc->natts == row->n);
	tuplestore_putvalues(result->setResult, result->setDesc, row->values, row->nulls);
}

/*
 * What keeps clients from writing, or would if the settings said so.
 */
static const char *
state_of_node(void)
{
	if (tg_epoch_has_fence(TG_FENCE_VIEW))
		return "fenced";
	if (tg_epoch_has_fence(TG_FENCE_CLOCK))
		return "clock";
	return tg_epoch_has_fence(TG_FENCE_MINORITY) ? "minority" : "active";
}

/*
 * This node: one row, also where there is no node.
 */
Datum
topgun_node_status(PG_FUNCTION_ARGS)
{
	TgNodeId	node = tg_node_id();
	TgStamp		clock = node != 0 ? tg_clock_tick(node) : 0;
	TgPosition	last = node != 0 ? tg_inflight_last_position() : 0;
	ResultRow	row = {0};

	put_if(&row, node != 0, Int32GetDatum(node));
	put_text(&row, node == 0 ? "not a node" : state_of_node());
	put_if(&row, node != 0, Int64GetDatum((int64) (node != 0 ? tg_epoch_current() : 0)));
	put_if(&row, node != 0, TgStampGetDatum(clock));
	put_if(&row, node != 0,
		   Float8GetDatum((double) tg_stamp_ms(clock) - (double) tg_clock_wall_ms()));
	put_if(&row, last != 0, TgStampGetDatum(last));
	put_if(&row, node != 0, TgStampGetDatum(node != 0 ? tg_inflight_horizon(node) : 0));
	put(&row, Int64GetDatum(tg_journal_bytes()));
	PG_RETURN_DATUM(to_record(fcinfo, &row));
}

/*
 * How old, in milliseconds, is what lies behind a position; 0 if nothing does.
 */
static void
put_lag(ResultRow *row, TgPosition reached, TgPosition last, uint64 now_ms)
{
	double		lag_ms = 0;

	if (reached < last)
		lag_ms = Max(0.0, (double) now_ms - (double) tg_stamp_ms(reached));
	put_if(row, reached != 0, Float8GetDatum(lag_ms));
}

static void
put_peer(ResultRow *row, const TgPeer *peer)
{
	uint64		now_ms = tg_clock_wall_ms();

	put_text(row, tg_peer_state_name(peer->state));
	put_if(row, peer->cursor.position != 0, TgStampGetDatum(peer->cursor.position));
	put_if(row, peer->acknowledged.position != 0, TgStampGetDatum(peer->acknowledged.position));
	put_lag(row, peer->cursor.position, peer->last_position, now_ms);
	put_lag(row, peer->acknowledged.position, tg_inflight_last_position(), now_ms);
	put_counts(row, &peer->counts);
	put(row, Int64GetDatum(peer->bytes));
	put(row, Int64GetDatum(peer->answers));
	put_if(row, peer->last_answer != 0, TimestampTzGetDatum(peer->last_answer));
	put(row, Int64GetDatum(peer->failures));
	put(row, Int64GetDatum(peer->retries));
	put_if(row, peer->error[0] != '\0', CStringGetTextDatum(peer->error));
	put_if(row, peer->last_failure != 0, TimestampTzGetDatum(peer->last_failure));
	put_if(row, peer->server_version != 0, Int32GetDatum(peer->server_version));
	put_if(row, peer->version[0] != '\0', CStringGetTextDatum(peer->version));
}

static void
put_detected(ResultRow *row, const TgDetected *detected)
{
	bool		is_known = detected->last.at != 0;

	put(row, BoolGetDatum(detected->is_suspected));
	put(row, BoolGetDatum(detected->is_confirmed));
	put(row, Float8GetDatum(detected->phi));
	put_if(row, is_known, TimestampTzGetDatum(detected->last.at));
	put_if(row, is_known, Float8GetDatum(detected->last.round_trip_us / 1000.0));
	put_if(row, is_known, Float8GetDatum(detected->last.clock_offset_us / 1000.0));
}

/*
 * The active peers of this node.
 */
Datum
topgun_peer_status(PG_FUNCTION_ARGS)
{
	TgNodeId	self = tg_node_id();
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, self != 0 ? tg_members() : NIL)
	{
		TgMember   *member = lfirst(lc);
		TgPeer		peer = {0};
		TgDetected	detected = {0};
		ResultRow	row = {0};

		if (!member->is_active || member->node == self)
			continue;
		(void) tg_peer_get(member->node, &peer);
		put(&row, Int32GetDatum(member->node));
		put_peer(&row, &peer);
		(void) tg_detector_get(member->node, &detected);
		put_detected(&row, &detected);
		emit(fcinfo, &row);
	}
	PG_RETURN_VOID();
}

/*
 * How much of our journal a peer has not acknowledged; NULL if that is not
 * known.
 */
Datum
topgun_peer_backlog(PG_FUNCTION_ARGS)
{
	TgNodeId	node = PG_GETARG_INT32(0);
	TgPeer		peer = {0};
	TgBacklog	backlog = {0};
	ResultRow	row = {0};
	bool		known = tg_peer_get(node, &peer) && peer.acknowledged.position != 0 &&
	tg_journal_backlog(peer.acknowledged, node, &backlog);

	put_if(&row, known, Int64GetDatum(backlog.rows));
	put_if(&row, known, Int64GetDatum(backlog.bytes));
	PG_RETURN_DATUM(to_record(fcinfo, &row));
}

/*
 * What merges have done, by what they were part of.
 */
Datum
topgun_merge_status(PG_FUNCTION_ARGS)
{
	static const char *const sources[] = {
		[TG_MERGE_PULL] = "pull",
		[TG_MERGE_COPY] = "copy",
		[TG_MERGE_REPAIR] = "repair",
		[TG_MERGE_IMPORT] = "merge_batch",
		[TG_MERGE_RETRY] = "retry",
	};

	InitMaterializedSRF(fcinfo, 0);
	for (TgMergeSource i = 0; i < TG_MERGE_SOURCES; i++)
	{
		TgMergeStat stat;
		ResultRow	row = {0};

		tg_merge_stat_get(i, &stat);
		put_text(&row, sources[i]);
		put(&row, Int64GetDatum(stat.merges));
		put_if(&row, stat.last != 0, TimestampTzGetDatum(stat.last));
		put(&row, Int64GetDatum(stat.counts.deleted));
		put_counts(&row, &stat.counts);
		emit(fcinfo, &row);
	}
	PG_RETURN_VOID();
}

/*
 * Since when the counters of this database count.
 */
Datum
topgun_stats_since(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(tg_merge_stat_since());
}

/*
 * topgun.stat_reset(): all counters of this database begin anew.
 */
Datum
topgun_stat_reset(PG_FUNCTION_ARGS)
{
	tg_merge_stat_reset();
	tg_peer_reset();
	tg_table_stat_reset();
	tg_difference_reset();
	PG_RETURN_VOID();
}

/*
 * The counters of one table.
 */
Datum
topgun_table_counts(PG_FUNCTION_ARGS)
{
	TgMergeCounts counts;
	ResultRow	row = {0};

	TgTableId	table = PG_GETARG_INT32(0);
	int64		tombstones = tg_tombstone_count(table);
	TimestampTz last_scrub = tg_scrub_last(table);

	tg_table_stat_get(table, &counts);
	put_counts(&row, &counts);
	put_if(&row, tombstones >= 0, Int64GetDatum(tombstones));
	put_if(&row, last_scrub != 0, TimestampTzGetDatum(last_scrub));
	PG_RETURN_DATUM(to_record(fcinfo, &row));
}

/*
 * The workers of this database.
 */
Datum
topgun_worker_status(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {
		[TG_WORKER_COPIER] = "copier",
		[TG_WORKER_FOLDER] = "folder",
		[TG_WORKER_JANITOR] = "janitor",
		[TG_WORKER_PULLER] = "puller",
		[TG_WORKER_PULSE] = "pulse",
		[TG_WORKER_REPAIRER] = "repairer",
	};
	static const char *const states[] = {
		[TG_WORKER_FREE] = "free",
		[TG_WORKER_WAITING] = "waiting",
		[TG_WORKER_STARTING] = "starting",
		[TG_WORKER_RUNNING] = "running",
	};
	TgWorker   *workers = palloc(TG_MAX_WORKERS * sizeof(TgWorker));
	int			n = tg_roster_list(workers);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		TgWorker   *worker = &workers[i];
		ResultRow	row = {0};

		put_text(&row, kinds[worker->kind]);
		put_if(&row, worker->peer != 0, Int32GetDatum(worker->peer));
		put_if(&row, worker->pid != 0, Int32GetDatum(worker->pid));
		put_text(&row, states[worker->state]);
		put(&row, Int32GetDatum(Max(worker->failures, 0)));
		put_if(&row, worker->started != 0, TimestampTzGetDatum(worker->started));
		emit(fcinfo, &row);
	}
	PG_RETURN_VOID();
}
