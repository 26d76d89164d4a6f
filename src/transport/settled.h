/*-------------------------------------------------------------------------
 *
 * src/transport/settled.h
 *	  Up to which stamp everybody's writes have arrived.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_SETTLED_H
#define TG_TRANSPORT_SETTLED_H

#include "base/types.h"

extern TgStamp tg_settled_here(TgNodeId self);
extern TgStamp tg_settled_everywhere(TgNodeId self);

#endif							/* TG_TRANSPORT_SETTLED_H */
