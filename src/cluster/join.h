/*-------------------------------------------------------------------------
 *
 * src/cluster/join.h
 *	  How a database joins a cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_JOIN_H
#define TG_CLUSTER_JOIN_H

#include "base/types.h"

extern TgNodeId tg_join_resumed(const char *name, const char *dsn);
extern TgNodeId tg_join_begin(const char *name, const char *dsn, const char *via);
extern void tg_join_wait(void);

#endif							/* TG_CLUSTER_JOIN_H */
