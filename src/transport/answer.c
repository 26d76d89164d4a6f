/*-------------------------------------------------------------------------
 *
 * src/transport/answer.c
 *	  The answer to a pull: what has changed after the asker's cursor.
 *
 * In this order, so that nothing is skipped:
 *	1. our low-water mark, then the clock;
 *	2. the horizon;
 *	3. a snapshot;
 *	4. journal rows after the cursor, up to the horizon: keys and vectors;
 *	5. the current row of each key, in key order, with its own stamp.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/failpoint.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "journal/entry.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "journal/read.h"
#include "merge/quarantine.h"
#include "miscadmin.h"
#include "row/tombstone.h"
#include "row/truncation.h"
#include "transport/answer.h"
#include "transport/section.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define MAX_KEYS		32768	/* of one answer, to begin with */

/* A key that the journal names. */
typedef struct ChangedKey
{
	TgTableId	table;
	TgOp		op;				/* only TG_OP_TRUNCATE matters */
	TgStamp		stamp;			/* the newest that an entry gives it */
	TgBytes		key;
} ChangedKey;

typedef struct Answer
{
	const TgPullRequest *request;
	TgNodeId	node;
	TgPosition	horizon;
	Snapshot	snapshot;
	TgAnswerHead head;
	ChangedKey *keys;
	int			nkeys;
	int			max_keys;		/* stop to read the journal after so many */
	TgSections	sections;
} Answer;

static void
add_key(Answer *answer, const TgEntry *entry)
{
	char	   *copy = palloc(entry->key.len + 1);

	if ((answer->nkeys & (answer->nkeys - 1)) == 0)
	{
		Size		size = Max(64, (Size) answer->nkeys * 2) * sizeof(ChangedKey);

		answer->keys = answer->keys == NULL ? palloc(size) : repalloc_huge(answer->keys, size);
	}
	memcpy(copy, entry->key.data, entry->key.len);
	answer->keys[answer->nkeys++] = (ChangedKey)
	{
		.table = entry->table,
			.op = entry->op,
			.stamp = entry->new_stamp,
			.key =
		{
			copy, entry->key.len
		}
	};
}

static void
add_keys(Answer *answer, TgBytes entries)
{
	TgReader	reader;
	TgEntry		entry;
	TgEntryStatus status;

	tg_reader_init(&reader, entries.data, entries.len);
	while ((status = tg_entry_read(&reader, &entry)) == TG_ENTRY_OK)
		add_key(answer, &entry);
	if (status == TG_ENTRY_BROKEN)
		elog(ERROR, "broken journal entry");
}

static void
take_advance(Answer *answer, const TgJournalPiece *piece)
{
	TgReader	reader;
	TgVector   *advance;

	if (!piece->is_last)
		return;
	(void) tg_vector_raise(answer->head.vector, answer->node, piece->mark);
	if (piece->advance.len == 0)
		return;
	tg_reader_init(&reader, piece->advance.data, piece->advance.len);
	advance = tg_vector_read(&reader);
	if (advance == NULL)
		elog(ERROR, "broken vector in the journal");
	(void) tg_vector_merge(answer->head.vector, advance);
}

/*
 * Read the journal until the horizon or until there are enough keys.  What
 * was merged from the asker goes back to it only if it has asked for that.
 */
static void
read_journal(Answer *answer)
{
	const TgPullRequest *request = answer->request;
	TgJournalReader *reader = tg_journal_open(request->cursor, answer->horizon, answer->snapshot);
	TgJournalPiece piece;

	answer->head.complete = true;
	while (tg_journal_next(reader, &piece))
	{
		if (piece.merged_from != request->asker || request->give_back)
			add_keys(answer, piece.entries);
		take_advance(answer, &piece);
		answer->head.cursor = piece.cursor;
		if (answer->nkeys >= answer->max_keys)
		{
			answer->head.complete = false;
			break;
		}
	}
	tg_journal_close(reader);
	if (answer->head.complete && answer->horizon > request->cursor.position)
		answer->head.cursor = tg_cursor_after(answer->horizon);
}

static int
compare_keys(const void *left, const void *right)
{
	const ChangedKey *a = left;
	const ChangedKey *b = right;
	int			cmp;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	if ((a->op == TG_OP_TRUNCATE) != (b->op == TG_OP_TRUNCATE))
		return a->op == TG_OP_TRUNCATE ? -1 : 1;
	cmp = memcmp(a->key.data, b->key.data, Min(a->key.len, b->key.len));
	if (cmp == 0)
		cmp = (int) a->key.len - (int) b->key.len;
	if (cmp == 0)
		cmp = a->stamp < b->stamp ? 1 : a->stamp > b->stamp ? -1 : 0;	/* newest first */
	return cmp;
}

static bool
is_same_key(const ChangedKey *a, const ChangedKey *b)
{
	return a->table == b->table && a->op != TG_OP_TRUNCATE && b->op != TG_OP_TRUNCATE &&
		a->key.len == b->key.len && memcmp(a->key.data, b->key.data, a->key.len) == 0;
}

static bool
asker_has(Answer *answer, TgStamp stamp)
{
	return tg_vector_covers(answer->request->vector, stamp);
}

/*
 * Add the current version of a key: the row, the tombstone or what waits in
 * quarantine, the newest of them.
 */
static void
add_current(Answer *answer, const ChangedKey *key)
{
	TgSections *sections = &answer->sections;
	TgTarget   *target = sections->target;
	TgLeaf	   *leaf;
	bool		found;
	TgStamp		stamp;
	TgChange	waiting;

	tg_target_set_key(target, key->key);
	leaf = tg_target_try_route(target);
	found = leaf != NULL && tg_leaf_find(leaf, answer->snapshot);
	if (found)
		stamp = tg_slot_stamp(leaf->table, leaf->found);
	else
	{
		stamp = tg_tombstone_find(target->table, key->key, answer->snapshot);
		if (stamp == TG_NO_STAMP)
			stamp = key->stamp;
	}

	if (tg_quarantine_find(target->table->id, key->key, &waiting) && waiting.stamp > stamp)
	{
		if (!asker_has(answer, waiting.stamp))
			tg_section_add(sections, waiting.kind, waiting.stamp, waiting.payload);
		return;
	}
	if (asker_has(answer, stamp))
		return;
	if (found)
		tg_section_add_row(sections, leaf->table, leaf->found);
	else if (stamp != TG_NO_STAMP)
		tg_section_add(sections, TG_CHANGE_DELETE, stamp, key->key);
}

static void
add_changes_of_table(Answer *answer, ChangedKey *keys, int nkeys)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun answer row",
												  ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < nkeys; i++)
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && is_same_key(&keys[i], &keys[i - 1]))
			continue;
		old = MemoryContextSwitchTo(scratch);
		if (keys[i].op != TG_OP_TRUNCATE)
			add_current(answer, &keys[i]);
		else if (!asker_has(answer, keys[i].stamp))
			tg_section_add(&answer->sections, TG_CHANGE_TRUNCATE, keys[i].stamp, tg_bytes(NULL, 0));
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
}

static void
add_changes(Answer *answer)
{
	if (answer->nkeys == 0)
		return;
	qsort(answer->keys, answer->nkeys, sizeof(ChangedKey), compare_keys);
	for (int start = 0, end; start < answer->nkeys; start = end)
	{
		for (end = start + 1; end < answer->nkeys; end++)
			if (answer->keys[end].table != answer->keys[start].table)
				break;
		if (tg_section_begin(&answer->sections, answer->keys[start].table))
		{
			add_changes_of_table(answer, &answer->keys[start], end - start);
			tg_section_end(&answer->sections);
		}
	}
}

static void
start_answer(Answer *answer, const TgPullRequest *request, int max_keys)
{
	TgStamp		mark;
	TgStamp		after_mark;

	memset(answer, 0, sizeof(*answer));
	answer->request = request;
	answer->node = tg_node_id_required();
	answer->max_keys = max_keys;
	tg_sections_init(&answer->sections);

	mark = tg_mark_for_journal(answer->node);
	after_mark = tg_clock_tick(answer->node);
	answer->horizon = tg_inflight_horizon(answer->node);
	TG_FAILPOINT("answer-after-horizon");
	answer->snapshot = RegisterSnapshot(GetLatestSnapshot());

	answer->head.sender = answer->node;
	answer->head.epoch = request->epoch;
	answer->head.cursor = request->cursor;
	answer->head.last_position = tg_inflight_last_position();
	answer->head.vector = tg_vector_create();
	read_journal(answer);

	/* the mark speaks of positions up to the clock that was read after it */
	if (answer->head.complete && answer->horizon >= after_mark)
		(void) tg_vector_raise(answer->head.vector, answer->node, mark);
}

static StringInfo
finish_answer(Answer *answer)
{
	StringInfo	buf = makeStringInfo();

	UnregisterSnapshot(answer->snapshot);
	answer->head.ntables = answer->sections.ntables;
	tg_wire_write_answer(buf, &answer->head);
	appendBinaryStringInfo(buf, answer->sections.done.data, answer->sections.done.len);
	return buf;
}

/*
 * Answer a pull.  Reads with a snapshot of its own.  Locks the journal's
 * segments and the tables with ACCESS SHARE; errors out with
 * ERRCODE_TG_JOURNAL_CUT if the asker is too far behind.
 */
StringInfo
tg_answer_pull(const TgPullRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun answer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = CurrentMemoryContext;

	for (int max_keys = MAX_KEYS;; max_keys /= 16)
	{
		Answer		answer;

		MemoryContextSwitchTo(context);
		start_answer(&answer, request, max_keys);
		add_changes(&answer);
		MemoryContextSwitchTo(old);

		/* wide rows: better fewer of them, though at least one piece's */
		if (tg_sections_bytes(&answer.sections) <= request->max_bytes || max_keys == 0)
		{
			StringInfo	result = finish_answer(&answer);

			MemoryContextDelete(context);
			return result;
		}
		UnregisterSnapshot(answer.snapshot);
		MemoryContextReset(context);
	}
}
