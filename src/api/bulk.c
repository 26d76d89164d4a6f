/*-------------------------------------------------------------------------
 *
 * src/api/bulk.c
 *	  Bulk jobs, as SQL calls and sees them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/guc.h"
#include "bulk/merge_batch.h"
#include "bulk/progress.h"
#include "bulk/slice.h"
#include "clock/identity.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(topgun_merge_batch);
PG_FUNCTION_INFO_V1(topgun_job_progress);

static Oid
require_relation(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return PG_GETARG_OID(argument);
}

static int
require_workers(FunctionCallInfo fcinfo, int argument)
{
	int			nworkers = PG_ARGISNULL(argument) ? tg_merge_workers : PG_GETARG_INT32(argument);

	if (nworkers < 0 || nworkers > TG_MAX_JOB_WORKERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of workers must be between 0 and %d", TG_MAX_JOB_WORKERS)));
	return nworkers;
}

/*
 * Each slice is a transaction, so there must be none around the call.
 */
static void
require_no_transaction(FunctionCallInfo fcinfo)
{
	CallContext *context = (CallContext *) fcinfo->context;

	PreventCommandDuringRecovery("topgun.merge_batch()");
	PreventCommandIfReadOnly("topgun.merge_batch()");
	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("topgun.merge_batch() cannot run inside a transaction block"),
				 errhint("It commits as it goes. Call it by itself.")));
}

/*
 * topgun.merge_batch(rel, source, workers, ...): the counts.
 */
Datum
topgun_merge_batch(PG_FUNCTION_ARGS)
{
	Oid			relid = require_relation(fcinfo, 0, "table");
	Oid			source = require_relation(fcinfo, 1, "source");
	int			nworkers = require_workers(fcinfo, 2);
	TgBatchCounts counts;
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[lengthof(values)] = {0};

	(void) tg_node_id_required();
	require_no_transaction(fcinfo);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	tg_merge_batch(relid, source, nworkers, &counts);
	SPI_finish();

	values[0] = Int64GetDatum(counts.applied);
	values[1] = Int64GetDatum(counts.older);
	values[2] = Int64GetDatum(counts.equal);
	values[3] = Int64GetDatum(counts.deleted);
	values[4] = Int64GetDatum(counts.quarantined);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

static void
put_job(ReturnSetInfo *result, const TgProgress *job)
{
	static const char *const kinds[] = {
		[TG_JOB_MERGE_BATCH] = "merge_batch",
		[TG_JOB_COPY] = "copy",
		[TG_JOB_PULL] = "pull",
	};
	static const char *const phases[] = {
		[TG_PHASE_STARTING] = "starting",
		[TG_PHASE_READING] = "reading",
		[TG_PHASE_WORKING] = "merging",
		[TG_PHASE_FINISHING] = "finishing",
	};
	Datum		values[10] = {
		Int32GetDatum(job->pid),
		CStringGetTextDatum(kinds[job->kind]),
		ObjectIdGetDatum(job->relid),
		Int32GetDatum(job->peer),
		CStringGetTextDatum(phases[job->phase]),
		Int32GetDatum(job->nworkers),
		Int32GetDatum(job->slices_done),
		Int32GetDatum(job->slices_total),
		Int64GetDatum(job->rows),
		TimestampTzGetDatum(job->started)
	};
	bool		nulls[lengthof(values)] = {0};

	nulls[2] = !OidIsValid(job->relid);
	nulls[3] = job->peer == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * The bulk jobs of this database that run now.
 */
Datum
topgun_job_progress(PG_FUNCTION_ARGS)
{
	TgProgress *jobs = palloc(TG_MAX_JOBS * sizeof(TgProgress));
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	n = tg_progress_list(jobs);
	for (int i = 0; i < n; i++)
		put_job((ReturnSetInfo *) fcinfo->resultinfo, &jobs[i]);
	PG_RETURN_VOID();
}
