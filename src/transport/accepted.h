/*-------------------------------------------------------------------------
 *
 * src/transport/accepted.h
 *	  Which life of each peer this node accepts, in shared memory and in
 *	  topgun.peer_incarnation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_ACCEPTED_H
#define TG_TRANSPORT_ACCEPTED_H

#include "transport/life.h"

/* What becomes of a peer that says it lives this life. */
typedef enum TgClaim
{
	TG_CLAIM_GOOD,
	TG_CLAIM_NEW,				/* not looked at yet */
	TG_CLAIM_OPEN,				/* nor now, and we have been told before */
	TG_CLAIM_REFUSED			/* a copy, or restored */
} TgClaim;

extern TgClaim tg_accepted_claim(TgNodeId node, TgIncarnation incarnation, int64 now_ms);
extern TgLife tg_accepted_judge(const TgPulse *told, int64 sent_ms, bool *is_news);
extern void tg_accepted_renew(TgNodeId node, TgEpoch since);
extern bool tg_accepted_has_lived(TgNodeId node);
extern void tg_accepted_observe(TgNodeId node, TgStamp stamp);
extern bool tg_accepted_must_save(void);
extern void tg_accepted_save(void);
extern void tg_accepted_forget(void);

extern Size tg_accepted_shmem_size(void);
extern void tg_accepted_shmem_attach(void *ptr, bool found);

#endif							/* TG_TRANSPORT_ACCEPTED_H */
