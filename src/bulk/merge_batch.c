/*-------------------------------------------------------------------------
 *
 * src/bulk/merge_batch.c
 *	  Merging rows that bring their own stamps, in parallel.
 *
 * The leader reads the source once, with the rights and settings of the
 * caller, under one snapshot, in the order of the table's key, and cuts it
 * into slices, which are files; workers make changes of the rows and merge
 * them meanwhile.  So the source may be anything that can be read: a view, a
 * temporary table, a table without any index.  When all is read the leader's
 * transaction ends, and nothing holds a snapshot but the slice that is being
 * merged.
 *
 * A row wins by the stamp that it brings, and is written under a fresh one: a
 * foreign stamp would say that this node has all that its writer had written
 * before.  So a batch that is merged again finds its own rows to be newer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "bulk/cutter.h"
#include "bulk/merge_batch.h"
#include "bulk/newest.h"
#include "bulk/source.h"
#include "bulk/source_row.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "executor/spi.h"
#include "merge/batch.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The counters of the job. */
enum
{
	APPLIED, OLDER, EQUAL, DELETED, QUARANTINED
};

/* What slices need to know. */
typedef struct BatchParams
{
	TgTableId	table;
	uint64		fingerprint;	/* of its columns when the source was read */
	TgStamp		began;			/* stamp of rows that have none */
} BatchParams;

/* Rows of the source come in here. */
typedef struct Intake
{
	DestReceiver receiver;		/* must be first */
	TgSourceRow row;
	MemoryContext scratch;		/* reset for each row */
	TgCutter	cutter;
	StringInfoData last_key;	/* of a slice that is full, or empty */
	StringInfoData key;
} Intake;

static bool
has_last_key(Intake *intake, TupleTableSlot *result)
{
	resetStringInfo(&intake->key);
	tg_source_row_key(&intake->row, result, &intake->key);
	return tg_key_equal(intake->row.table->key, tg_bytes_of_buf(&intake->last_key),
						tg_bytes_of_buf(&intake->key));
}

/*
 * All rows of a key go into one slice, since only the newest of them counts.
 */
static void
take_row(Intake *intake, TupleTableSlot *result)
{
	StringInfo	last_key = &intake->last_key;

	tg_source_row_require_key(&intake->row, result);
	if (last_key->len > 0 && !has_last_key(intake, result))
	{
		tg_cutter_cut(&intake->cutter);
		resetStringInfo(last_key);
	}
	tg_cutter_add(&intake->cutter, tg_source_row_tuple(result));
	if (last_key->len == 0 && tg_cutter_is_full(&intake->cutter))
		tg_source_row_key(&intake->row, result, last_key);
}

static bool
receive(TupleTableSlot *result, DestReceiver *self)
{
	Intake	   *intake = (Intake *) self;
	MemoryContext old = MemoryContextSwitchTo(intake->scratch);

	take_row(intake, result);
	MemoryContextSwitchTo(old);
	MemoryContextReset(intake->scratch);
	return true;
}

static void
set_for_query(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * To compile the query would take longer than it saves, and it sorts as an
 * index that is being built would be sorted.
 */
static void
run_query(const char *query, DestReceiver *receiver)
{
	int			guc_nest = NewGUCNestLevel();
	SPIExecuteOptions options = {.read_only = true,.dest = receiver};
	SPIPlanPtr	plan;

	set_for_query("jit", "off");
	if (work_mem < maintenance_work_mem)
		set_for_query("work_mem", GetConfigOption("maintenance_work_mem", false, false));
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL || SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not read the source of a batch");
	SPI_freeplan(plan);
	AtEOXact_GUC(true, guc_nest);
}

/*
 * Read the whole source into slices.
 */
static void
read_source(TgSource *source, TgJob *job, int nworkers, TgStamp began)
{
	Intake	   *intake = palloc0(sizeof(Intake));

	intake->receiver = *None_Receiver;
	intake->receiver.receiveSlot = receive;
	intake->scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun source row",
											ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&intake->last_key);
	initStringInfo(&intake->key);
	tg_source_row_init(&intake->row, source->rel, began);
	tg_cutter_init(&intake->cutter, job, nworkers);
	run_query(tg_source_query(source), &intake->receiver);
	tg_cutter_finish(&intake->cutter);
	tg_source_row_end(&intake->row);
}

static TgJob *
begin_job(TgSource *source, int nworkers, TgStamp began)
{
	BatchParams params = {
		.table = source->table->id,
		.fingerprint = source->table->fingerprint,
		.began = began
	};
	TgJobSpec	spec = {
		.kind = TG_JOB_MERGE_BATCH,
		.relid = RelationGetRelid(source->rel),
		.nworkers = nworkers,
		.params = &params,
		.params_bytes = sizeof(params)
	};

	return tg_job_begin(&spec);
}

static void
add_up(TgJob *job, TgBatchCounts *counts)
{
	counts->applied = tg_job_counter(job, APPLIED);
	counts->older = tg_job_counter(job, OLDER);
	counts->equal = tg_job_counter(job, EQUAL);
	counts->deleted = tg_job_counter(job, DELETED);
	counts->quarantined = tg_job_counter(job, QUARANTINED);
}

/*
 * Merge all rows of the source into a replicated table.  Call it inside SPI
 * that may end transactions: it ends the current one.  What was merged before
 * an error stays, and merging the batch again is harmless.
 */
void
tg_merge_batch(Oid relid, Oid source_relid, int nworkers, TgBatchCounts *counts)
{
	TgStamp		began = tg_clock_tick(tg_node_id_required());
	TgSource	source;
	TgJob	   *job;

	tg_epoch_require_writable();
	tg_source_open(&source, relid, source_relid);
	job = begin_job(&source, nworkers, began);
	PG_TRY();
	{
		read_source(&source, job, nworkers, began);
		tg_source_close(&source);
		tg_job_close(job);
		SPI_commit();
		tg_job_wait(job, tg_merge_batch_slice);
		add_up(job, counts);
	}
	PG_FINALLY();
	{
		tg_job_end(job);
	}
	PG_END_TRY();
}

/*
 * The table as it was when the source was read.
 */
static Relation
open_unchanged(const BatchParams *params)
{
	Oid			relid = tg_table_relid(params->table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, RowExclusiveLock) : NULL;

	if (rel == NULL || tg_table_id(rel) != params->table ||
		tg_table_get(rel)->fingerprint != params->fingerprint)
		ereport(ERROR,
				(errcode(ERRCODE_TG_SCHEMA_DIFFERS),
				 errmsg("the table was changed or removed while a batch was merged into it")));
	return rel;
}

static void
merge_rows(TgSliceRun *run, TgMerge *merge, Relation rel)
{
	const BatchParams *params = run->params;
	TgSourceRow row;
	TgSliceReader reader;
	TgNewest	newest;

	tg_source_row_init(&row, rel, params->began);
	tg_slice_open(&reader, run->files, run->slice);
	tg_newest_begin(&newest, &reader, &row);
	while (tg_newest_read(&newest))
	{
		TG_FAILPOINT("merge-batch");
		tg_merge_changes(merge, params->table, newest.changes, newest.nchanges);
		tg_job_check(run->job, newest.nchanges);
	}
	run->counters[OLDER] = newest.older;
	run->counters[EQUAL] = newest.equal;
	tg_newest_end(&newest);
	tg_slice_close(&reader);
	tg_source_row_end(&row);
}

/*
 * Merge one slice.
 */
void
tg_merge_batch_slice(TgSliceRun *run)
{
	Relation	rel = open_unchanged(run->params);
	TgMerge		merge;

	tg_epoch_require_writable();
	tg_merge_begin(&merge, 0, NULL);
	merge.is_import = true;
	merge.source = TG_MERGE_IMPORT;
	merge.doubt = TG_DOUBT_NEVER;
	merge_rows(run, &merge, rel);
	tg_merge_end(&merge);
	relation_close(rel, NoLock);

	run->counters[APPLIED] = merge.counts.applied - merge.counts.deleted;
	run->counters[OLDER] += merge.counts.older;
	run->counters[EQUAL] += merge.counts.equal;
	run->counters[DELETED] = merge.counts.deleted;
	run->counters[QUARANTINED] = merge.counts.quarantined;
}
