/*-------------------------------------------------------------------------
 *
 * src/bulk/pool_worker.h
 *	  A worker of a job: takes slices until none is left.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_POOL_WORKER_H
#define TG_BULK_POOL_WORKER_H

#include "bulk/job.h"

extern void tg_job_work(dsm_handle handle, int worker, const TgRunSlice *run_slice);

#endif							/* TG_BULK_POOL_WORKER_H */
