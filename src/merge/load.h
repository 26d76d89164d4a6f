/*-------------------------------------------------------------------------
 *
 * src/merge/load.h
 *	  Reading a change into the slot of its table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_LOAD_H
#define TG_MERGE_LOAD_H

#include "row/change.h"
#include "row/target.h"

extern void tg_change_load(TgTarget *target, const TgChange *change, StringInfo key);
extern bool tg_change_key(TgTable *table, const TgChange *change, StringInfo key);

#endif							/* TG_MERGE_LOAD_H */
