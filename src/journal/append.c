/*-------------------------------------------------------------------------
 *
 * src/journal/append.c
 *	  The changes of this transaction, on their way into the journal.
 *
 * Entries wait in memory, packed into pieces that fit a page, one list for
 * each subtransaction: an abort drops its list, a commit hands it to the
 * parent.  A list that grows too long is written early, by and for its own
 * subtransaction, so an abort takes those rows back as well.
 *
 * At pre-commit, in this order:
 *	1. decide which keys are deleted, write their tombstones;
 *	2. write all pieces but the last under the batch id;
 *	3. take the low-water mark, then the position;
 *	4. write the head: position, batch, mark, vector advance, last piece.
 *
 * The locks needed are those of heap inserts, and the segment's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/failpoint.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "journal/append.h"
#include "journal/deletions.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "journal/segment.h"
#include "journal/stamping.h"
#include "lib/ilist.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#define PIECE_BYTES		7000	/* with the head's columns it fits a page */
#define MAX_KEY_BYTES	(PIECE_BYTES - TG_ENTRY_OVERHEAD)
#define SPILL_PIECES	64		/* so a subtransaction holds half a megabyte */

/* The changes of one subtransaction that are not written yet. */
typedef struct Level
{
	struct Level *parent;
	int			nest;			/* GetCurrentTransactionNestLevel() */
	slist_head	pieces;			/* of TgPiece, newest first */
	int			npieces;
	bool		has_deletes;	/* counting what was spilled */
	bool		has_others;		/* so, too */
} Level;

/* What this transaction is about to put into the journal. */
static struct
{
	MemoryContext context;		/* child of TopTransactionContext, or NULL */
	Level	   *top;
	TgNodeId	merged_from;	/* 0: a local transaction */
	StringInfo	advance;		/* encoded vector, or NULL */
	int			segment;		/* where our rows go, if batch is set */
	int			nest;			/* level that locked the segment */
	TgStamp		batch;			/* id of spilled pieces, or TG_NO_STAMP */
	int			parts;			/* pieces written under it */
	bool		is_flushed;		/* the head is written */
}			xact;

static uint64 nadded;			/* entries, by this backend */

static MemoryContext
xact_context(void)
{
	if (xact.context == NULL)
		xact.context = AllocSetContextCreate(TopTransactionContext,
											 "topgun journal",
											 ALLOCSET_DEFAULT_SIZES);
	return xact.context;
}

static Level *
current_level(void)
{
	int			nest = GetCurrentTransactionNestLevel();
	Level	   *level = xact.top;

	if (likely(level != NULL && level->nest == nest))
		return level;

	level = MemoryContextAllocZero(xact_context(), sizeof(Level));
	level->parent = xact.top;
	level->nest = nest;
	slist_init(&level->pieces);
	return xact.top = level;
}

static TgPiece *
newest_piece(Level *level)
{
	return slist_is_empty(&level->pieces) ? NULL :
		slist_head_element(TgPiece, link, &level->pieces);
}

static TgPiece *
add_piece(Level *level)
{
	MemoryContext old = MemoryContextSwitchTo(xact_context());
	TgPiece    *piece = palloc(sizeof(TgPiece));

	initStringInfo(&piece->entries);
	slist_push_head(&level->pieces, &piece->link);
	level->npieces++;
	MemoryContextSwitchTo(old);
	return piece;
}

static void
free_pieces(Level *level)
{
	while (!slist_is_empty(&level->pieces))
	{
		TgPiece    *piece = slist_container(TgPiece, link, slist_pop_head_node(&level->pieces));

		pfree(piece->entries.data);
		pfree(piece);
	}
	level->npieces = 0;
}

/*
 * Lock a segment for all that this transaction writes, and name the batch.
 */
static void
start_writing(void)
{
	if (xact.batch != TG_NO_STAMP)
		return;
	xact.segment = tg_segment_lock_current();
	xact.nest = GetCurrentTransactionNestLevel();
	xact.batch = tg_clock_tick(tg_node_id_required());
	xact.parts = 0;
}

static void
write_part(const TgPiece *piece)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL_PART + xact.segment),
								 RowExclusiveLock);
	bytea	   *entries = cstring_to_text_with_len(piece->entries.data, piece->entries.len);
	Datum		values[] = {
		TgStampGetDatum(xact.batch),
		Int32GetDatum(++xact.parts),
		PointerGetDatum(entries)
	};
	bool		nulls[lengthof(values)] = {0};

	tg_catalog_append(rel, TG_CAT_JOURNAL_PART_BATCH + xact.segment, values, nulls);
	pfree(entries);
	table_close(rel, NoLock);
}

/*
 * Write the pieces of a level, oldest first, except "keep", which may be NULL.
 */
static void
write_parts(Level *level, const TgPiece *keep)
{
	slist_head	oldest_first = SLIST_STATIC_INIT(oldest_first);
	slist_iter	iter;

	start_writing();
	while (!slist_is_empty(&level->pieces))
		slist_push_head(&oldest_first, slist_pop_head_node(&level->pieces));
	slist_foreach(iter, &oldest_first)
	{
		TgPiece    *piece = slist_container(TgPiece, link, iter.cur);

		if (piece != keep)
			write_part(piece);
	}
	while (!slist_is_empty(&oldest_first))
		slist_push_head(&level->pieces, slist_pop_head_node(&oldest_first));
}

static void
spill(Level *level)
{
	write_parts(level, NULL);
	free_pieces(level);
}

/*
 * Add an entry to what this transaction journals at its end.  The relation is
 * the table, or one of its partitions, that the entry's key belongs to.
 */
void
tg_journal_add(Oid relid, const TgEntry *entry)
{
	Level	   *level = current_level();
	TgPiece    *piece = newest_piece(level);

	if (entry->key.len > MAX_KEY_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("primary key value of %u bytes is too long to be replicated", entry->key.len),
				 errdetail("At most %d bytes can be.", MAX_KEY_BYTES)));
	if (xact.is_flushed)
		elog(ERROR, "a replicated table is written after the journal of its transaction");

	if (piece == NULL || piece->entries.len + entry->key.len + TG_ENTRY_OVERHEAD > PIECE_BYTES)
	{
		if (level->npieces >= SPILL_PIECES)
			spill(level);
		piece = add_piece(level);
	}

	tg_entry_write(&piece->entries, entry);
	nadded++;

	if (entry->op == TG_OP_DELETE)
	{
		level->has_deletes = true;
		tg_deletions_remember_table(entry->table, relid);
	}
	else
		level->has_others = true;
}

/*
 * Has this transaction changed rows of replicated tables?
 */
bool
tg_journal_has_changes(void)
{
	return xact.top != NULL || xact.batch != TG_NO_STAMP;
}

/*
 * How many entries this backend has added: if it has not changed, nothing was
 * written to any replicated table.
 */
uint64
tg_journal_count(void)
{
	return nadded;
}

/*
 * This transaction merges from a peer.  With its rows the vector advances; a
 * head is written even if there are none.
 */
void
tg_journal_set_source(TgNodeId peer, const TgVector *advance)
{
	MemoryContext old = MemoryContextSwitchTo(xact_context());

	xact.merged_from = peer;
	if (advance != NULL)
	{
		xact.advance = makeStringInfo();
		tg_vector_write(xact.advance, advance);
	}
	MemoryContextSwitchTo(old);
}

static void
write_head(const TgPiece *last)
{
	TgNodeId	node = tg_node_id_required();
	TgStamp		mark;
	TgPosition	position;
	Relation	rel;
	Datum		values[8];
	bool		nulls[lengthof(values)] = {0};

	start_writing();
	rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL + xact.segment), RowExclusiveLock);

	mark = tg_mark_for_journal(node);
	TG_FAILPOINT("between-mark-and-position");
	position = tg_inflight_take_position(node);
	TG_FAILPOINT("after-position");

	values[0] = TgStampGetDatum(position);
	values[1] = TgStampGetDatum(xact.batch);
	values[2] = Int32GetDatum(xact.parts);
	values[3] = TgStampGetDatum(mark);
	values[4] = Int32GetDatum(xact.merged_from);
	values[5] = BoolGetDatum(xact.top != NULL && !xact.top->has_others);
	values[6] = PointerGetDatum(xact.advance == NULL ? cstring_to_text_with_len("", 0) :
								cstring_to_text_with_len(xact.advance->data, xact.advance->len));
	values[7] = PointerGetDatum(last == NULL ? cstring_to_text_with_len("", 0) :
								cstring_to_text_with_len(last->entries.data, last->entries.len));
	tg_catalog_append(rel, TG_CAT_JOURNAL_POSITION + xact.segment, values, nulls);
	table_close(rel, NoLock);
}

static void
write_tombstones(Level *level)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	tg_deletions_write(&level->pieces, xact.parts > 0 ? xact.segment : -1, xact.batch);
	PopActiveSnapshot();
}

static void
flush(void)
{
	Level	   *level = xact.top;
	TgPiece    *last = NULL;

	if (xact.context == NULL)
		return;					/* nothing was added */
	Assert(level == NULL || (level->parent == NULL && level->nest == 1));
	if (level == NULL && xact.advance == NULL)
		return;

	if (level != NULL)
	{
		if (level->has_deletes)
			write_tombstones(level);
		last = newest_piece(level);
		if (level->npieces > 1)
			write_parts(level, last);
	}
	if (last != NULL || xact.parts > 0 || xact.advance != NULL)
		write_head(last);
	xact.is_flushed = true;
}

static void
forget(void)
{
	memset(&xact, 0, sizeof(xact));
	tg_deletions_forget();
	tg_write_stamp_reset();
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			flush();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (xact.context != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot prepare a transaction that has written to replicated tables"),
						 errhint("Use COMMIT.")));
			break;
		case XACT_EVENT_COMMIT:
			forget();
			break;
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			tg_waiter_leave();
			forget();
			break;
		default:
			break;
	}
}

/*
 * The transaction has ended, and all can see how; its locks are gone.  Not
 * before: whoever reads our journal rows must know of our DDL, and hears of
 * it shortly after our rows become visible.
 */
static void
leave_registry(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	if (phase == RESOURCE_RELEASE_LOCKS && is_top_level)
		tg_inflight_leave(is_commit);
}

/*
 * A subtransaction is about to hand its changes to a parent that has as many
 * as it may hold: write them while they are its own.
 */
static void
spill_before_keeping(int nest)
{
	Level	   *child = xact.top;

	if (child != NULL && child->nest == nest && child->parent != NULL &&
		child->parent->npieces + child->npieces > SPILL_PIECES)
		spill(child);
}

/*
 * Hand the changes of a subtransaction to its parent.
 */
static void
keep_level(void)
{
	Level	   *child = xact.top;
	Level	   *parent;
	slist_head	oldest_first = SLIST_STATIC_INIT(oldest_first);

	xact.top = child->parent;
	if (xact.top == NULL || xact.top->nest < child->nest - 1)
	{
		child->nest--;
		child->parent = xact.top;
		xact.top = child;
		return;
	}

	parent = xact.top;
	while (!slist_is_empty(&child->pieces))
		slist_push_head(&oldest_first, slist_pop_head_node(&child->pieces));
	while (!slist_is_empty(&oldest_first))
	{
		TgPiece    *piece = slist_container(TgPiece, link, slist_pop_head_node(&oldest_first));
		TgPiece    *last = newest_piece(parent);

		if (last != NULL && last->entries.len + piece->entries.len <= PIECE_BYTES)
		{
			appendBinaryStringInfo(&last->entries, piece->entries.data, piece->entries.len);
			pfree(piece->entries.data);
			pfree(piece);
			continue;
		}
		slist_push_head(&parent->pieces, &piece->link);
		parent->npieces++;
	}
	parent->has_deletes |= child->has_deletes;
	parent->has_others |= child->has_others;
	pfree(child);
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId mySubid,
				   SubTransactionId parentSubid, void *arg)
{
	int			nest = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		spill_before_keeping(nest);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		if (xact.top != NULL && xact.top->nest == nest)
			keep_level();
		if (xact.batch != TG_NO_STAMP && xact.nest == nest)
			xact.nest--;
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		tg_merge_expect_aborted(nest);
		while (xact.top != NULL && xact.top->nest >= nest)
		{
			Level	   *level = xact.top;

			xact.top = level->parent;
			free_pieces(level);
			pfree(level);
		}
		/* what was spilled here is gone, and so is the segment's lock */
		if (xact.batch != TG_NO_STAMP && xact.nest >= nest)
		{
			xact.batch = TG_NO_STAMP;
			xact.parts = 0;
		}
	}
}

/*
 * Follow the ends of transactions.  Call once, from _PG_init().
 */
void
tg_journal_install(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
	RegisterResourceReleaseCallback(leave_registry, NULL);
}
