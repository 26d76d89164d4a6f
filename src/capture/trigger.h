/*-------------------------------------------------------------------------
 *
 * src/capture/trigger.h
 *	  The triggers of a replicated table: what they have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_TRIGGER_H
#define TG_CAPTURE_TRIGGER_H

#include "base/types.h"
#include "commands/trigger.h"
#include "row/table.h"

extern TriggerData *tg_trigger_data(FunctionCallInfo fcinfo, const char *function,
									TriggerEvent when, TriggerEvent level);
extern TgTable *tg_trigger_table(FmgrInfo *flinfo, Relation rel);

#endif							/* TG_CAPTURE_TRIGGER_H */
