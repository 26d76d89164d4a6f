/*-------------------------------------------------------------------------
 *
 * src/worker/bulk_worker.h
 *	  The worker of a bulk job, as the server starts it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_BULK_WORKER_H
#define TG_WORKER_BULK_WORKER_H

extern PGDLLEXPORT void topgun_bulk_main(Datum arg);

#endif							/* TG_WORKER_BULK_WORKER_H */
