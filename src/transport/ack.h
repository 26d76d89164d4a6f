/*-------------------------------------------------------------------------
 *
 * src/transport/ack.h
 *	  Sessions that wait until peers have a transaction durably.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_ACK_H
#define TG_TRANSPORT_ACK_H

#include "base/types.h"

extern void tg_ack_await(TgPosition position);
extern void tg_ack_leave(void);
extern bool tg_ack_is_awaited(TgCursor after, TgCursor upto);
extern void tg_ack_wake(TgPosition upto);

extern Size tg_ack_shmem_size(void);
extern void tg_ack_shmem_attach(void *ptr, bool found);

#endif							/* TG_TRANSPORT_ACK_H */
