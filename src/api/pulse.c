/*-------------------------------------------------------------------------
 *
 * src/api/pulse.c
 *	  SQL functions of the epoch and the failure detector.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/epoch.h"
#include "clock/identity.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(topgun_epoch);

/*
 * topgun.epoch(): the number of the view this node is in.
 */
Datum
topgun_epoch(PG_FUNCTION_ARGS)
{
	(void) tg_node_id_required();
	PG_RETURN_INT64((int64) tg_epoch_current());
}
