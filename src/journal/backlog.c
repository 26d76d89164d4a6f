/*-------------------------------------------------------------------------
 *
 * src/journal/backlog.c
 *	  How much of the journal a reader has still to read.
 *
 * A little is counted.  Beyond that the size of what follows is read off the
 * place where it begins in its segment, and the rest is taken to be like what
 * was counted, so that asking costs the same however far behind a reader is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "journal/backlog.h"
#include "journal/entry.h"
#include "journal/read.h"
#include "journal/segment.h"
#include "storage/lmgr.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#define MAX_PIECES		1000	/* that are counted */

typedef struct Count
{
	int			pieces;
	TgBacklog	found;			/* for this reader */
	TgCursor	at;				/* the last of them */
} Count;

static void
count_piece(Count *count, const TgJournalPiece *piece, TgNodeId reader)
{
	TgReader	bytes;
	TgEntry		entry;

	count->pieces++;
	count->at = piece->cursor;
	if (piece->merged_from == reader)
		return;
	count->found.bytes += piece->entries.len;
	tg_reader_init(&bytes, piece->entries.data, piece->entries.len);
	while (tg_entry_read(&bytes, &entry) == TG_ENTRY_OK)
		count->found.rows++;
}

/*
 * Is the journal still there after the cursor?  Then it stays so while the
 * locks are held.
 */
static bool
lock_segments(TgCursor after)
{
	TgPosition	cut;

	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
		LockRelationOid(tg_catalog_oid(TG_CAT_JOURNAL + i), AccessShareLock);
	cut = tg_segment_cut();
	return after.position > cut ||
		(after.position == cut && after.part == TG_WHOLE_POSITION);
}

/*
 * The rest is like what was counted, and larger by what both take of the
 * segments.
 */
static void
add_rest(Count *count, TgCursor after, Snapshot snapshot)
{
	int64		rest = tg_journal_bytes_after(count->at.position, snapshot);
	int64		counted = tg_journal_bytes_after(after.position, snapshot) - rest;
	double		more = (double) rest / Max(counted, BLCKSZ);

	count->found.rows += count->found.rows * more;
	count->found.bytes += count->found.bytes * more;
}

static bool
count_after(TgCursor after, TgNodeId reader, TgBacklog *backlog)
{
	Count		count = {0};
	TgJournalReader *journal;
	TgJournalPiece piece;
	Snapshot	snapshot;

	if (!lock_segments(after))
		return false;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	journal = tg_journal_open(after, PG_UINT64_MAX, snapshot);
	while (count.pieces < MAX_PIECES && tg_journal_next(journal, &piece))
		count_piece(&count, &piece, reader);
	tg_journal_close(journal);

	if (count.pieces == MAX_PIECES)
		add_rest(&count, after, snapshot);
	UnregisterSnapshot(snapshot);
	*backlog = count.found;
	return true;
}

static void
release(ResourceOwner owner)
{
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, false, false);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
	ResourceOwnerDelete(owner);
}

/*
 * How much of the journal comes after a cursor and was not merged from its
 * reader, to whom it is not sent.  False if that is no longer known, since the
 * journal was cut.
 *
 * Who asks may be in a long transaction, and segments are not emptied while
 * they are locked: so the locks belong to an owner that ends with the question.
 * An error leaves it to the one above it.
 */
bool
tg_journal_backlog(TgCursor after, TgNodeId reader, TgBacklog *backlog)
{
	ResourceOwner callers = CurrentResourceOwner;
	bool		known;

	CurrentResourceOwner = ResourceOwnerCreate(callers, "topgun backlog");
	known = count_after(after, reader, backlog);
	release(CurrentResourceOwner);
	CurrentResourceOwner = callers;
	return known;
}
