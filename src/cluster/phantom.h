/*-------------------------------------------------------------------------
 *
 * src/cluster/phantom.h
 *	  A member that was admitted and has not been heard of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_PHANTOM_H
#define TG_CLUSTER_PHANTOM_H

#include "transport/member.h"
#include "transport/view.h"

extern bool tg_is_phantom(const TgMember *member);
extern TgNodeId tg_phantom_of_two(const TgView *view, TgNodeId self);

#endif							/* TG_CLUSTER_PHANTOM_H */
