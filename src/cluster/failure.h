/*-------------------------------------------------------------------------
 *
 * src/cluster/failure.h
 *	  What is done about what heartbeats tell.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_FAILURE_H
#define TG_CLUSTER_FAILURE_H

#include "nodes/pg_list.h"
#include "transport/wire_pulse.h"

extern void tg_failure_set_fences(const List *members, const TgPulse *own);
extern void tg_failure_act(const List *members, const TgPulse *own);

#endif							/* TG_CLUSTER_FAILURE_H */
