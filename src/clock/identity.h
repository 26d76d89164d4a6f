/*-------------------------------------------------------------------------
 *
 * src/clock/identity.h
 *	  Which node is this database?
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLOCK_IDENTITY_H
#define TG_CLOCK_IDENTITY_H

#include "base/types.h"

extern TgNodeId tg_node_id(void);
extern TgNodeId tg_node_id_required(void);
extern void tg_node_id_assume(TgNodeId node);
extern void tg_node_id_forget(void);

extern void tg_identity_install(void);
extern Size tg_identity_shmem_size(void);
extern void tg_identity_shmem_attach(void *ptr, bool found);

#endif							/* TG_CLOCK_IDENTITY_H */
