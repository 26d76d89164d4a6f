/*-------------------------------------------------------------------------
 *
 * src/cluster/view_change.h
 *	  Changing who is in the cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_VIEW_CHANGE_H
#define TG_CLUSTER_VIEW_CHANGE_H

#include "transport/view.h"

typedef struct TgViewChange
{
	TgViewReason reason;
	TgNodeId	node;			/* 0: one that joins */
	const char *name;			/* of that node */
	const char *dsn;			/* the same; of one that joins or comes back */
	TgEpoch		after;			/* of one that comes back: the epoch it knew */
} TgViewChange;

extern TgView *tg_view_change(const TgViewChange *change);

#endif							/* TG_CLUSTER_VIEW_CHANGE_H */
