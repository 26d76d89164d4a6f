/*-------------------------------------------------------------------------
 *
 * src/worker/copier.h
 *	  The worker that copies tables from peers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_COPIER_H
#define TG_WORKER_COPIER_H

extern PGDLLEXPORT void topgun_copier_main(Datum arg);

#endif							/* TG_WORKER_COPIER_H */
