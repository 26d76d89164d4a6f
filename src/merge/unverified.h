/*-------------------------------------------------------------------------
 *
 * src/merge/unverified.h
 *	  Merged deletions that an older row may still come after.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_UNVERIFIED_H
#define TG_MERGE_UNVERIFIED_H

#include "row/change.h"
#include "utils/snapshot.h"

/* Columns of topgun.unverified. */
enum
{
	TG_UNVERIFIED_STAMP = 1, TG_UNVERIFIED_TABLE, TG_UNVERIFIED_KEY,
	TG_UNVERIFIED_COLUMNS = TG_UNVERIFIED_KEY
};

extern void tg_unverified_note(TgTableId table, const TgChange *deletion);
extern TgStamp tg_unverified_oldest(Snapshot snapshot);

#endif							/* TG_MERGE_UNVERIFIED_H */
