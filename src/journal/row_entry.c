/*-------------------------------------------------------------------------
 *
 * src/journal/row_entry.c
 *	  Journal entries of rows that were written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "journal/append.h"
#include "journal/row_entry.h"

/*
 * A row was inserted into the table or leaf.
 */
void
tg_journal_insert(TgTable *table, TgBytes key, TgStamp stamp)
{
	TgEntry		entry = {
		.table = table->id,
		.op = TG_OP_INSERT,
		.new_stamp = stamp,
		.key = key
	};

	tg_journal_add(table->relid, &entry);
}

/*
 * A row was deleted; the stamp is the tombstone's.
 */
void
tg_journal_delete(TgTable *table, TgBytes key, TgStamp old_stamp, TgStamp stamp)
{
	TgEntry		entry = {
		.table = table->id,
		.op = TG_OP_DELETE,
		.had_row = true,
		.old_stamp = old_stamp,
		.new_stamp = stamp,
		.key = key
	};

	tg_journal_add(table->relid, &entry);
}

/*
 * A row was updated, and its key has the bytes that it had.
 */
void
tg_journal_update(TgTable *table, TgBytes key, TgStamp old_stamp, TgStamp stamp)
{
	TgEntry		entry = {
		.table = table->id,
		.op = TG_OP_UPDATE,
		.had_row = true,
		.old_stamp = old_stamp,
		.new_stamp = stamp,
		.key = key
	};

	tg_journal_add(table->relid, &entry);
}
