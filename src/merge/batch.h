/*-------------------------------------------------------------------------
 *
 * src/merge/batch.h
 *	  Merge many changes of one table; a bad row stops nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_BATCH_H
#define TG_MERGE_BATCH_H

#include "merge/session.h"
#include "row/change.h"
#include "utils/elog.h"

extern void tg_merge_changes(TgMerge *merge, TgTableId table, const TgChange *changes, int nchanges);
extern ErrorData **tg_merge_try(TgMerge *merge, TgTableId table, const TgChange *changes, int nchanges);

#endif							/* TG_MERGE_BATCH_H */
