/*-------------------------------------------------------------------------
 *
 * src/cluster/readmit.h
 *	  Taking a former member back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_READMIT_H
#define TG_CLUSTER_READMIT_H

#include "base/bytes.h"
#include "base/types.h"

extern TgBytes tg_readmit(TgNodeId node, const char *identity, TgEpoch after);

#endif							/* TG_CLUSTER_READMIT_H */
