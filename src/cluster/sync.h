/*-------------------------------------------------------------------------
 *
 * src/cluster/sync.h
 *	  Waiting until all members have what all members had.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_SYNC_H
#define TG_CLUSTER_SYNC_H

#include "base/types.h"

extern bool tg_wait_until_sent(long timeout_ms);
extern bool tg_wait_for_sync(long timeout_ms);
extern char *tg_sync_state_text(TgNodeId asker);

#endif							/* TG_CLUSTER_SYNC_H */
