/*-------------------------------------------------------------------------
 *
 * src/base/wait.h
 *	  What our processes wait for, as pg_stat_activity shows it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_WAIT_H
#define TG_BASE_WAIT_H

typedef enum TgWait
{
	TG_WAIT_IDLE,				/* a worker, until something is due */
	TG_WAIT_PEER,				/* an answer */
	TG_WAIT_CHANGES,			/* something to answer a peer */
	TG_WAIT_ACKNOWLEDGEMENT,	/* of a commit */
	TG_WAIT_JOB,				/* bulk workers */
	TG_WAIT_PAUSE				/* to try or to look again */
} TgWait;

#define TG_WAITS	(TG_WAIT_PAUSE + 1)

extern uint32 tg_wait_event(TgWait which);

extern Size tg_wait_shmem_size(void);
extern void tg_wait_shmem_attach(void *ptr, bool found);

#endif							/* TG_BASE_WAIT_H */
