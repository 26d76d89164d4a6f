/*-------------------------------------------------------------------------
 *
 * src/capture/stamp_row.c
 *	  The BEFORE ROW trigger of tables with option {"stamping": "trigger"}.
 *
 * For writers that neither the planner nor the column's default reaches: the
 * apply worker of a native subscription writes the rows as they came.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "capture/trigger.h"
#include "fmgr.h"
#include "journal/stamping.h"
#include "row/stamp.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(topgun_stamp_row);

/*
 * topgun_internal.stamp_row(): the trigger function.
 */
Datum
topgun_stamp_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = tg_trigger_data(fcinfo, "stamp_row", TRIGGER_EVENT_BEFORE,
											TRIGGER_EVENT_ROW);
	Relation	rel = trigdata->tg_relation;
	TgTable    *table = tg_trigger_table(fcinfo->flinfo, rel);
	HeapTuple	row = trigdata->tg_trigtuple;
	int			attno = table->stamp_attno;
	Datum		stamp;
	bool		isnull = false;

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		row = trigdata->tg_newtuple;
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(row);

	stamp = TgStampGetDatum(tg_write_stamp());
	return PointerGetDatum(heap_modify_tuple_by_cols(row, RelationGetDescr(rel), 1,
													 &attno, &stamp, &isnull));
}
