/*-------------------------------------------------------------------------
 *
 * src/cluster/membership.h
 *	  How a database becomes a node.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_MEMBERSHIP_H
#define TG_CLUSTER_MEMBERSHIP_H

#include "base/types.h"

extern TgNodeId tg_create_cluster(const char *name, const char *dsn);
extern TgNodeId tg_admit(const char *name, const char *dsn, const char *identity);
extern void tg_require_not_a_node(void);
extern void tg_require_sound_name(const char *name);
extern void tg_become_node(TgNodeId node, const char *cluster_id);

#endif							/* TG_CLUSTER_MEMBERSHIP_H */
