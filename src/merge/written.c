/*-------------------------------------------------------------------------
 *
 * src/merge/written.c
 *	  What is done about rows that a merge has written.
 *
 * The triggers that are enabled for replicas fire, at the end, for many rows
 * at once.  Most tables have but one such trigger, the one that journals what
 * was written.  It would have to read each row again to learn what is known
 * here, so the journal gets it at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/function.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "journal/row_entry.h"
#include "merge/written.h"
#include "utils/rel.h"

/*
 * Begin to write rows of a table, at most as many as there is room for.
 * Mirrored by tg_written_end(); if an error comes first, the subtransaction
 * must be rolled back.
 */
void
tg_written_begin(TgWritten *written, TgTarget *target, TgMergedRow *rows)
{
	memset(written, 0, sizeof(*written));
	written->target = target;
	written->rows = rows;
	initStringInfo(&written->key);
	initStringInfo(&written->old_key);
	AfterTriggerBeginQuery();
}

/*
 * Is the capture trigger the only one that fires?
 */
static bool
fires_only_capture(const TgLeaf *leaf, int16 event)
{
	TriggerDesc *triggers = leaf->rri->ri_TrigDesc;
	int			nfiring = 0;
	bool		captures = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER, event) ||
			trigger->tgenabled == TRIGGER_DISABLED ||
			trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN)
			continue;
		nfiring++;
		captures = trigger->tgfoid == tg_function_oid(TG_FN_CAPTURE) && trigger->tgqual == NULL;
	}
	return nfiring == 1 && captures;
}

static bool
is_direct(TgWritten *written, const TgLeaf *leaf, TgFiring *firing, int16 event)
{
	if (written->leaf != leaf)
	{
		written->on_insert.is_known = written->on_update.is_known = written->on_delete.is_known = false;
		written->leaf = leaf;
	}
	if (!firing->is_known)
	{
		firing->only_capture = fires_only_capture(leaf, event);
		firing->is_known = true;
	}
	return firing->only_capture;
}

static TgBytes
write_key(TgTable *table, TupleTableSlot *row, StringInfo buf)
{
	resetStringInfo(buf);
	tg_key_write(table->key, row, buf);
	return tg_bytes_of_buf(buf);
}

static void
expect(TgWritten *written, TgLeaf *leaf, ItemPointer tid, TgStamp stamp)
{
	written->rows[written->nrows++] = (TgMergedRow)
	{
		leaf->relid, *tid, stamp
	};
}

/*
 * A row was inserted.  No tombstone of its key is newer.
 */
void
tg_written_insert(TgWritten *written, TgLeaf *leaf, TupleTableSlot *row)
{
	TgStamp		stamp = tg_slot_stamp(leaf->table, row);

	if (is_direct(written, leaf, &written->on_insert, TRIGGER_TYPE_INSERT))
	{
		tg_journal_insert(leaf->table, write_key(leaf->table, row, &written->key), stamp);
		return;
	}
	expect(written, leaf, &row->tts_tid, stamp);
	ExecARInsertTriggers(written->target->estate, leaf->rri, row, NIL, NULL);
}

/*
 * A row was inserted with a stamp of ours, and a tombstone may be newer: the
 * capture trigger looks.
 */
void
tg_written_import(TgWritten *written, TgLeaf *leaf, TupleTableSlot *row)
{
	ExecARInsertTriggers(written->target->estate, leaf->rri, row, NIL, NULL);
}

/*
 * See capture_update(): a change of the key's bytes is a deletion and an
 * insertion.
 */
static void
journal_update(TgWritten *written, TgTable *table, TupleTableSlot *old, TupleTableSlot *row)
{
	TgStamp		old_stamp = tg_slot_stamp(table, old);
	TgStamp		stamp = tg_slot_stamp(table, row);
	TgBytes		key = write_key(table, row, &written->key);
	TgBytes		old_key;

	if (table->key->image_equal)
	{
		tg_journal_update(table, key, old_stamp, stamp);
		return;
	}
	old_key = write_key(table, old, &written->old_key);
	if (old_key.len == key.len && memcmp(old_key.data, key.data, key.len) == 0)
	{
		tg_journal_update(table, key, old_stamp, stamp);
		return;
	}
	tg_journal_delete(table, old_key, old_stamp, stamp);
	tg_journal_insert(table, key, stamp);
}

/*
 * The row in leaf->found, which was at that place, was replaced by leaf->row.
 */
void
tg_written_update(TgWritten *written, TgLeaf *leaf, ItemPointer old)
{
	if (is_direct(written, leaf, &written->on_update, TRIGGER_TYPE_UPDATE))
	{
		journal_update(written, leaf->table, leaf->found, leaf->row);
		return;
	}
	expect(written, leaf, &leaf->row->tts_tid, tg_slot_stamp(leaf->table, leaf->row));
	ExecARUpdateTriggers(written->target->estate, leaf->rri, NULL, NULL, old, NULL, leaf->row,
						 NIL, NULL, false);
}

/*
 * The row in leaf->found was deleted; the tombstone gets the stamp.
 */
void
tg_written_delete(TgWritten *written, TgLeaf *leaf, TgStamp stamp)
{
	if (is_direct(written, leaf, &written->on_delete, TRIGGER_TYPE_DELETE))
	{
		tg_journal_delete(leaf->table, write_key(leaf->table, leaf->found, &written->key),
						  tg_slot_stamp(leaf->table, leaf->found), stamp);
		return;
	}
	expect(written, leaf, &leaf->found->tts_tid, stamp);
	ExecARDeleteTriggers(written->target->estate, leaf->rri, &leaf->found->tts_tid, NULL, NULL, false);
}

/*
 * All are written: fire the triggers.
 */
void
tg_written_end(TgWritten *written)
{
	tg_merge_expect(written->rows, written->nrows);
	AfterTriggerEndQuery(written->target->estate);
	tg_merge_expect_nothing();
	pfree(written->key.data);
	pfree(written->old_key.data);
}
