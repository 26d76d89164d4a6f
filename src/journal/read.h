/*-------------------------------------------------------------------------
 *
 * src/journal/read.h
 *	  Reading the journal in the order of its positions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_READ_H
#define TG_JOURNAL_READ_H

#include "base/bytes.h"
#include "base/types.h"
#include "utils/snapshot.h"

/* Some entries of one transaction.  Valid until the next one is read. */
typedef struct TgJournalPiece
{
	TgCursor	cursor;			/* of a reader that has read this piece */
	bool		is_last;		/* of its transaction; mark and advance hold */
	TgNodeId	merged_from;
	bool		only_deletes;	/* by all of its transaction */
	TgStamp		mark;
	TgBytes		advance;		/* encoded vector; empty: none */
	TgBytes		entries;
} TgJournalPiece;

typedef struct TgJournalReader TgJournalReader;

/* Reads the parts of one batch. */
typedef struct TgPartReader TgPartReader;

extern TgJournalReader *tg_journal_open(TgCursor after, TgPosition horizon, Snapshot snapshot);
extern bool tg_journal_next(TgJournalReader *reader, TgJournalPiece *piece);
extern void tg_journal_close(TgJournalReader *reader);

extern TgPartReader *tg_parts_open(int segment, TgStamp batch, uint32 after, Snapshot snapshot);
extern bool tg_parts_next(TgPartReader *reader, uint32 *part, TgBytes *entries);
extern void tg_parts_close(TgPartReader *reader);

extern int64 tg_journal_bytes_after(TgPosition position, Snapshot snapshot);
extern TgStamp tg_journal_last_mark(void);
extern TgPosition tg_journal_last_position(void);

#endif							/* TG_JOURNAL_READ_H */
