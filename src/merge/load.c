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

static bool
is_key(TgTable *table, TgBytes key)
{
	TgReader	reader;

	tg_reader_init(&reader, key.data, key.len);
	for (int i = 0; i < table->key->ncolumns; i++)
		(void) tg_read_counted(&reader);
	return tg_reader_ok(&reader) && tg_reader_at_end(&reader);
}

/*
 * Append the bytes of a change's key, as they came: no value is decoded, so
 * this works for rows that cannot be read here.  Nothing is appended for a
 * TRUNCATE.  False, and what is in key then is not to be used, if the bytes
 * are not those of a change of this table.
 */
bool
tg_change_key(TgTable *table, const TgChange *change, StringInfo key)
{
	if (change->kind == TG_CHANGE_TRUNCATE)
		return true;
	if (change->kind == TG_CHANGE_ROW)
		return tg_row_key(table, change->payload, key);
	appendBinaryStringInfo(key, change->payload.data, change->payload.len);
	return is_key(table, change->payload);
}
