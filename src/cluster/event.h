/*-------------------------------------------------------------------------
 *
 * src/cluster/event.h
 *	  What has happened, for programs that listen to channel "topgun".
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_EVENT_H
#define TG_CLUSTER_EVENT_H

#include "base/types.h"

extern void tg_event_of_node(const char *event, TgNodeId node, const char *name);
extern void tg_event_of_token(const char *event, TgNodeId node, const char *resource, int64 token);

#endif							/* TG_CLUSTER_EVENT_H */
