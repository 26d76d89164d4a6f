/*-------------------------------------------------------------------------
 *
 * src/worker/bulk_worker.c
 *	  The worker of a bulk job, as the server starts it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/merge_batch.h"
#include "bulk/pool_worker.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "transport/copy_slice.h"
#include "transport/crew.h"
#include "worker/bulk_worker.h"

/* What the slices of each kind of job are run by. */
static const TgRunSlice run_slice[TG_JOB_KINDS] = {
	[TG_JOB_MERGE_BATCH] = tg_merge_batch_slice,
	[TG_JOB_COPY] = tg_copy_slice,
	[TG_JOB_PULL] = tg_crew_slice,
};

/*
 * The main function.  Its argument is the memory segment of the job; which of
 * its workers this is stands in bgw_extra.
 */
void
topgun_bulk_main(Datum arg)
{
	int			worker;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	memcpy(&worker, MyBgworkerEntry->bgw_extra, sizeof(worker));
	tg_job_work(DatumGetUInt32(arg), worker, run_slice);
	proc_exit(0);
}
