/*-------------------------------------------------------------------------
 *
 * src/transport/copy_progress.h
 *	  How far the copy of a table has come.
 *
 * It is kept with the state of the table, and the ranges that are still to be
 * copied in topgun.copy_range.  Whatever a copy has done is noted in the
 * transaction that has done it, so it goes on after any interruption.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_COPY_PROGRESS_H
#define TG_TRANSPORT_COPY_PROGRESS_H

#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "transport/copy.h"
#include "transport/state.h"
#include "transport/wire_copy.h"

/* As TgTableState.copy_after has it. */
typedef struct TgCopyProgress
{
	Bitmapset  *done;			/* peers that have been copied */
	bool		is_join;		/* the one at copy_from is enough */
	bool		was_empty;		/* no row was here when its copy began */
	TgStamp		copy;			/* names the ranges of the copy from it;
								 * TG_NO_STAMP: they are not known yet */
	TgCopyPlace place;			/* behind the rows */
} TgCopyProgress;

extern TgCopyProgress tg_copy_progress_read(TgBytes bytes);
extern TgBytes tg_copy_progress_write(const TgCopyProgress *progress);

extern void tg_ranges_put(TgTableId table, TgStamp copy, const TgBytes *bounds, int nbounds);
extern List *tg_ranges_left(TgTableId table, TgStamp copy);
extern bool tg_range_find(TgTableId table, TgStamp copy, int number, TgKeyRange *range);
extern bool tg_range_done(TgTableId table, TgStamp copy, int number);
extern void tg_ranges_forget(TgTableId table);

#endif							/* TG_TRANSPORT_COPY_PROGRESS_H */
