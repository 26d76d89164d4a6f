/*-------------------------------------------------------------------------
 *
 * src/cluster/view_errand.h
 *	  Changes of the view, made in a background worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_VIEW_ERRAND_H
#define TG_CLUSTER_VIEW_ERRAND_H

#include "cluster/view_change.h"

extern TgView *tg_view_change_apart(const TgViewChange *change);
extern TgView *tg_view_rejoin_apart(void);

extern void tg_view_evict_begin(TgNodeId node);
extern void tg_view_learn_begin(TgNodeId from);

extern void tg_view_errand_main(Datum arg);

#endif							/* TG_CLUSTER_VIEW_ERRAND_H */
