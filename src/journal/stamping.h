/*-------------------------------------------------------------------------
 *
 * src/journal/stamping.h
 *	  Whose stamp does the row get that is being written now?
 *
 * A local write gets a fresh one; the transaction registers as in flight
 * before its first.  A merge writes the stamps that the rows came with, and
 * says so here, so that the capture trigger accepts them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_STAMPING_H
#define TG_JOURNAL_STAMPING_H

#include "base/types.h"
#include "storage/itemptr.h"

/*
 * A row that a merge writes, and its stamp.  One that is deleted is known by
 * its last version, and the stamp is the tombstone's.
 */
typedef struct TgMergedRow
{
	Oid			relid;
	ItemPointerData tid;		/* not valid: a TRUNCATE */
	TgStamp		stamp;
} TgMergedRow;

extern TgStamp tg_write_stamp(void);
extern TgStamp tg_write_stamp_after(TgStamp old_stamp);
extern bool tg_write_stamp_is_ours(TgStamp stamp);
extern void tg_write_stamp_reset(void);
extern bool tg_write_for_cluster(bool is_so);

extern void tg_merge_expect(TgMergedRow *rows, int nrows);
extern void tg_merge_expect_nothing(void);
extern void tg_merge_expect_aborted(int nest);
extern bool tg_merge_expected(Oid relid, ItemPointer tid, TgStamp *stamp);

#endif							/* TG_JOURNAL_STAMPING_H */
