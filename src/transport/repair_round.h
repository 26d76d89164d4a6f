/*-------------------------------------------------------------------------
 *
 * src/transport/repair_round.h
 *	  Comparing all tables with all peers, and repairing them, from time to
 *	  time.
 *
 * For one worker of a database, as the task of a worker loop: called in the
 * task's transaction, it ends that one, makes many of its own, and comes back
 * in a fresh one with an active snapshot.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_REPAIR_ROUND_H
#define TG_TRANSPORT_REPAIR_ROUND_H

extern bool tg_repair_round(void);

#endif							/* TG_TRANSPORT_REPAIR_ROUND_H */
