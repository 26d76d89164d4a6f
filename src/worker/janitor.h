/*-------------------------------------------------------------------------
 *
 * src/worker/janitor.h
 *	  The worker that keeps a node in order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_JANITOR_H
#define TG_WORKER_JANITOR_H

extern PGDLLEXPORT void topgun_janitor_main(Datum arg);

#endif							/* TG_WORKER_JANITOR_H */
