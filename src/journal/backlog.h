/*-------------------------------------------------------------------------
 *
 * src/journal/backlog.h
 *	  How much of the journal a reader has still to read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_BACKLOG_H
#define TG_JOURNAL_BACKLOG_H

#include "base/types.h"

typedef struct TgBacklog
{
	int64		rows;			/* changes of one */
	int64		bytes;
} TgBacklog;

extern bool tg_journal_backlog(TgCursor after, TgNodeId reader, TgBacklog *backlog);

#endif							/* TG_JOURNAL_BACKLOG_H */
