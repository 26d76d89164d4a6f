/*-------------------------------------------------------------------------
 *
 * src/bulk/newest.h
 *	  The changes that the rows of a slice want: the newest of each key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_NEWEST_H
#define TG_BULK_NEWEST_H

#include "bulk/slice_file.h"
#include "bulk/source_row.h"

typedef struct TgNewest
{
	TgSliceReader *reader;
	TgSourceRow *source;
	MemoryContext scratch;		/* reset for each row */
	StringInfoData payloads;	/* of the changes, one after the other */
	StringInfoData key;			/* of the last change */
	StringInfoData next_key;
	TgChange   *changes;
	int			nchanges;		/* some changes, in the slice's order */
	bool		has_next;		/* one more, that belongs to the next ones */
	int64		older;			/* left out for a newer one of their key */
	int64		equal;			/* left out, since they came twice */
} TgNewest;

extern void tg_newest_begin(TgNewest *newest, TgSliceReader *reader, TgSourceRow *source);
extern bool tg_newest_read(TgNewest *newest);
extern void tg_newest_end(TgNewest *newest);

#endif							/* TG_BULK_NEWEST_H */
