/*-------------------------------------------------------------------------
 *
 * src/worker/repairer.h
 *	  The worker that finds out whether nodes still hold the same rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_REPAIRER_H
#define TG_WORKER_REPAIRER_H

extern PGDLLEXPORT void topgun_repairer_main(Datum arg);

#endif							/* TG_WORKER_REPAIRER_H */
