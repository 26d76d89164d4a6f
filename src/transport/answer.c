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
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "journal/entry.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "row/truncation.h"
#include "transport/ack.h"
#include "transport/answer.h"
#include "transport/gate.h"
#include "transport/version.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define MAX_KEYS		32768	/* of one answer, to begin with */
#define MAX_ENTRIES		1000000 /* that are looked at for one answer */

/* A key that the journal names. */
typedef struct ChangedKey
{
	TgTableId	table;
	TgOp		op;				/* of the entry with the newest stamp */
	TgStamp		stamp;			/* the newest that an entry gives it */
	bool		is_deletion;	/* the entry is, for good */
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
	int			nentries;		/* with those that the asker need not get */
	int			max_keys;		/* stop to read the journal after so many */
	TgSections	sections;
	int			nvisited;		/* keys whose current version is in there */
	bool		too_big;		/* and there is no room for the others */
} Answer;

static void
add_key(Answer *answer, const TgEntry *entry, bool only_deletes)
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
			.is_deletion = only_deletes,
			.key =
		{
			copy, entry->key.len
		}
	};
}

/*
 * Is there no need to send this back to where it was merged from?  What a
 * trigger has written while it was merged is news there, and so is what has
 * been announced.
 */
static bool
asker_sent(Answer *answer, const TgEntry *entry)
{
	return entry->op != TG_OP_ANNOUNCE && tg_stamp_node(entry->new_stamp) != answer->node;
}

static bool
asker_has(Answer *answer, TgStamp stamp)
{
	return tg_vector_covers(answer->request->vector, stamp);
}

/*
 * Is the change that an entry names none for the asker?  If there is a newer
 * version of the key by now, it has an entry of its own, further on.
 */
static bool
is_known(Answer *answer, const TgEntry *entry)
{
	return entry->op != TG_OP_ANNOUNCE && asker_has(answer, entry->new_stamp);
}

static void
add_keys(Answer *answer, const TgJournalPiece *piece, bool from_asker)
{
	TgReader	reader;
	TgEntry		entry;
	TgEntryStatus status;

	tg_reader_init(&reader, piece->entries.data, piece->entries.len);
	while ((status = tg_entry_read(&reader, &entry)) == TG_ENTRY_OK)
	{
		answer->nentries++;
		if (entry.op != TG_OP_BEGIN && !is_known(answer, &entry) &&
			(!from_asker || !asker_sent(answer, &entry)))
			add_key(answer, &entry, piece->only_deletes);
	}
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
 * Read the journal until the horizon or until there is enough for one answer.
 * What was merged from the asker goes back to it only if it has asked for that.
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
		add_keys(answer, &piece, piece.merged_from == request->asker.node && !request->give_back);
		take_advance(answer, &piece);
		answer->head.cursor = piece.cursor;
		if (answer->nkeys >= answer->max_keys || answer->nentries >= MAX_ENTRIES)
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

/*
 * Add the current version of a key.  That of a deletion whose tombstone has
 * been collected is the entry's own; a row that has gone without a deletion is
 * damage, which is not passed on.
 *
 * A transaction that also writes may delete a key and insert it again, with an
 * older stamp even: its entry is no deletion that ever held.  But in one that
 * only deletes, each is, and it will do: a newer one has an entry of its own,
 * further on.
 */
static void
add_current(Answer *answer, const ChangedKey *key)
{
	TgVersion	version;

	tg_version_find_after(answer->sections.target, key->key, key->is_deletion ? key->stamp : TG_NO_STAMP,
						  answer->snapshot, &version);
	if (version.kind == TG_VERSION_NONE && key->op == TG_OP_DELETE)
	{
		version.kind = TG_VERSION_DELETED;
		version.stamp = key->stamp;
	}
	if (!asker_has(answer, version.stamp))
		(void) tg_version_send(&answer->sections, &version, key->key);
}

/*
 * Is there no room for one more row?  What one piece of the journal names goes
 * into one answer, whatever its size.
 */
static bool
is_full(const Answer *answer)
{
	return answer->max_keys > 0 &&
		tg_sections_bytes(&answer->sections) > answer->request->max_bytes;
}

static void
add_changes_of_table(Answer *answer, ChangedKey *keys, int nkeys)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun answer row",
												  ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < nkeys; i++, answer->nvisited++)
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		answer->too_big = is_full(answer);
		if (answer->too_big)
			break;
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
	for (int start = 0, end; start < answer->nkeys && !answer->too_big; start = end)
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

	mark = tg_mark_for_journal(answer->node);
	after_mark = tg_clock_tick(answer->node);
	answer->horizon = tg_inflight_horizon(answer->node);
	TG_FAILPOINT("answer-after-horizon");
	answer->snapshot = RegisterSnapshot(GetLatestSnapshot());

	answer->head.sender = tg_speaker_to(&request->asker);
	answer->head.cursor = request->cursor;
	answer->head.last_position = tg_inflight_last_position();
	answer->head.vector = tg_vector_create();
	read_journal(answer);

	/* the mark speaks of positions up to the clock that was read after it */
	if (answer->head.complete && answer->horizon >= after_mark)
		(void) tg_vector_raise(answer->head.vector, answer->node, mark);
	answer->head.acknowledge = tg_ack_is_awaited(request->in_step ? request->flushed : tg_cursor_after(0),
												 answer->head.cursor);
	tg_sections_init(&answer->sections, &answer->head);
}

/*
 * Answer a pull, with a snapshot of its own.  The result lies in a child of
 * the current memory context.  Locks the journal's segments and the tables
 * with ACCESS SHARE, partitions with ROW EXCLUSIVE as routing does; errors out
 * with ERRCODE_TG_JOURNAL_CUT if the asker is too far behind.
 */
StringInfo
tg_answer_pull(const TgPullRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun answer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Answer	   *answer = NULL;
	int			max_keys = MAX_KEYS;

	for (;;)
	{
		answer = palloc(sizeof(Answer));
		start_answer(answer, request, max_keys);
		add_changes(answer);
		UnregisterSnapshot(answer->snapshot);
		if (!answer->too_big)
			break;

		/* wide rows: better half as many as have found room */
		max_keys = Min(answer->nvisited, max_keys) / 2;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	return tg_sections_finish(&answer->sections, &answer->head);
}
