/*-------------------------------------------------------------------------
 *
 * src/journal/fate.h
 *	  Does a transaction leave a key alive or deleted?  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_FATE_H
#define TG_JOURNAL_FATE_H

#include "journal/entry.h"

typedef struct TgFate
{
	int64		balance;		/* rows that came minus rows that went */
	uint64		trace;			/* stamps of both, each pair cancelled out */
	TgStamp		deleted;		/* the greatest of a deletion */
	TgStamp		written;		/* the greatest of a row */
} TgFate;

extern void tg_fate_add(TgFate *fate, const TgEntry *entry);
extern bool tg_fate_is_deleted(const TgFate *fate);

#endif							/* TG_JOURNAL_FATE_H */
