/*-------------------------------------------------------------------------
 *
 * src/worker/pulse.h
 *	  The worker that sends heartbeats to all peers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_PULSE_H
#define TG_WORKER_PULSE_H

extern PGDLLEXPORT void topgun_pulse_main(Datum arg);

#endif							/* TG_WORKER_PULSE_H */
