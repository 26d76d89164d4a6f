/*-------------------------------------------------------------------------
 *
 * src/bulk/merge_batch.c
 *	  Merging rows that bring their own stamps, in parallel.
 *
 * The leader reads the source once, with the rights and settings of the
 * caller, under one snapshot, in the order of the table's key, and cuts it
 * into slices, which are files; workers merge them meanwhile.  So the source
 * may be anything that can be read: a view, a temporary table, a table without
 * any index.  When all is read the leader's transaction ends, and nothing
 * holds a snapshot but the slice that is being merged.
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
#include "bulk/source.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "merge/batch.h"
#include "row/stamp.h"
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
} BatchParams;

/* Rows of the source come in here. */
typedef struct Intake
{
	DestReceiver receiver;		/* must be first */
	TgTable    *table;
	TgStamp		began;			/* stamp of rows that have none */
	TupleTableSlot *row;		/* of the table */
	MemoryContext scratch;		/* reset for each row */
	TgCutter	cutter;
} Intake;

static void
require_key(Intake *intake)
{
	TgKeySpec  *key = intake->table->key;
	TupleDesc	desc = intake->row->tts_tupleDescriptor;

	for (int i = 0; i < key->ncolumns; i++)
	{
		AttrNumber	attno = key->columns[i].attno;

		if (intake->row->tts_isnull[attno - 1])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("null value in key column \"%s\" of the source",
							NameStr(TupleDescAttr(desc, attno - 1)->attname))));
	}
}

/*
 * Put the columns of the source where the table has them.
 */
static void
take_columns(Intake *intake, TupleTableSlot *result)
{
	TupleTableSlot *row = intake->row;

	slot_getallattrs(result);
	ExecClearTuple(row);
	memset(row->tts_isnull, true, row->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < intake->table->ncolumns; i++)
	{
		int			column = intake->table->columns[i].attno - 1;

		row->tts_values[column] = result->tts_values[i];
		row->tts_isnull[column] = result->tts_isnull[i];
	}
	ExecStoreVirtualTuple(row);
	require_key(intake);
}

static void
take_row(Intake *intake, TupleTableSlot *result)
{
	TgHeldChange *next = &intake->cutter.next;
	int			n = intake->table->ncolumns;

	take_columns(intake, result);
	next->stamp = result->tts_isnull[n] ? intake->began : DatumGetTgStamp(result->tts_values[n]);
	next->kind = DatumGetBool(result->tts_values[n + 1]) ? TG_CHANGE_DELETE : TG_CHANGE_ROW;
	resetStringInfo(&next->key);
	resetStringInfo(&next->payload);
	tg_key_write(intake->table->key, intake->row, &next->key);
	if (next->kind == TG_CHANGE_DELETE)
		appendBinaryStringInfo(&next->payload, next->key.data, next->key.len);
	else
		tg_row_write(intake->table, intake->row, &next->payload);
	tg_cutter_add(&intake->cutter);
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

/*
 * To compile the query would take longer than it saves.
 */
static void
run_query(const char *query, DestReceiver *receiver)
{
	int			guc_nest = NewGUCNestLevel();
	SPIExecuteOptions options = {.read_only = true,.dest = receiver};
	SPIPlanPtr	plan;

	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
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
read_source(TgSource *source, TgJob *job, int nworkers, TgStamp began, TgBatchCounts *counts)
{
	Intake	   *intake = palloc0(sizeof(Intake));

	intake->receiver = *None_Receiver;
	intake->receiver.receiveSlot = receive;
	intake->table = source->table;
	intake->began = began;
	intake->row = MakeSingleTupleTableSlot(RelationGetDescr(source->rel), &TTSOpsVirtual);
	intake->scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun source row",
											ALLOCSET_DEFAULT_SIZES);
	tg_cutter_init(&intake->cutter, job, nworkers, source->table->key);
	run_query(tg_source_query(source), &intake->receiver);
	tg_cutter_finish(&intake->cutter);
	counts->older = intake->cutter.older;
	counts->equal = intake->cutter.equal;
	ExecDropSingleTupleTableSlot(intake->row);
}

static TgJob *
begin_job(TgSource *source, int nworkers)
{
	BatchParams params = {
		.table = source->table->id,
		.fingerprint = source->table->fingerprint
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
	counts->older += tg_job_counter(job, OLDER);
	counts->equal += tg_job_counter(job, EQUAL);
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
	job = begin_job(&source, nworkers);
	PG_TRY();
	{
		read_source(&source, job, nworkers, began, counts);
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

/*
 * Merge one slice.
 */
void
tg_merge_batch_slice(TgSliceRun *run)
{
	const BatchParams *params = run->params;
	Relation	rel = open_unchanged(params);
	TgMerge		merge;
	TgSliceReader reader;

	tg_epoch_require_writable();
	tg_merge_begin(&merge, 0, NULL);
	merge.is_import = true;
	merge.doubt = TG_DOUBT_NEVER;
	tg_slice_open(&reader, run->files, run->slice);
	while (tg_slice_read(&reader))
	{
		TG_FAILPOINT("merge-batch");
		tg_merge_changes(&merge, params->table, reader.changes, reader.nchanges);
		tg_job_check(run->job, reader.nchanges);
	}
	tg_slice_close(&reader);
	tg_merge_end(&merge);
	relation_close(rel, NoLock);

	run->counters[APPLIED] = merge.counts.applied - merge.counts.deleted;
	run->counters[OLDER] = merge.counts.older;
	run->counters[EQUAL] = merge.counts.equal;
	run->counters[DELETED] = merge.counts.deleted;
	run->counters[QUARANTINED] = merge.counts.quarantined;
}
