/*-------------------------------------------------------------------------
 *
 * src/worker/puller.h
 *	  The worker that pulls from one peer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_PULLER_H
#define TG_WORKER_PULLER_H

extern PGDLLEXPORT void topgun_puller_main(Datum arg);

#endif							/* TG_WORKER_PULLER_H */
