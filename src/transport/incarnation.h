/*-------------------------------------------------------------------------
 *
 * src/transport/incarnation.h
 *	  The lives of this node: topgun.incarnation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_INCARNATION_H
#define TG_TRANSPORT_INCARNATION_H

#include "base/types.h"

extern TgIncarnation tg_incarnation_current(void);
extern TgIncarnation tg_incarnation_make(void);
extern void tg_incarnation_publish(TgIncarnation incarnation);
extern void tg_incarnation_forget(void);
extern int	tg_incarnation_ancestors(TgIncarnation *ancestors, int max);

extern Size tg_incarnation_shmem_size(void);
extern void tg_incarnation_shmem_attach(void *ptr, bool found);

#endif							/* TG_TRANSPORT_INCARNATION_H */
