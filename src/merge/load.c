/*-------------------------------------------------------------------------
 *
 * src/merge/load.c
 *	  Reading a change into the slot of its table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "merge/load.h"
#include "row/stamp.h"

/*
 * Fill target->row from the change and append the bytes of its key.
 */
void
tg_change_load(TgTarget *target, const TgChange *change, StringInfo key)
{
	TupleTableSlot *slot = target->row;
	int			stamp = target->table->stamp_attno - 1;

	if (change->kind == TG_CHANGE_DELETE)
	{
		tg_target_set_key(target, change->payload);
		appendBinaryStringInfo(key, change->payload.data, change->payload.len);
		return;
	}
	tg_row_read(target->table, change->payload, slot);
	slot->tts_values[stamp] = TgStampGetDatum(change->stamp);
	slot->tts_isnull[stamp] = change->stamp == TG_NO_STAMP;
	tg_key_write(target->table->key, slot, key);
}
