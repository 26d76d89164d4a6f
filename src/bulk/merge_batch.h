/*-------------------------------------------------------------------------
 *
 * src/bulk/merge_batch.h
 *	  Merging rows that bring their own stamps, in parallel.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_MERGE_BATCH_H
#define TG_BULK_MERGE_BATCH_H

#include "bulk/pool.h"

typedef struct TgBatchCounts
{
	int64		applied;		/* rows that were written */
	int64		older;			/* than what was here, or in the same batch */
	int64		equal;
	int64		deleted;
	int64		quarantined;
} TgBatchCounts;

extern void tg_merge_batch(Oid relid, Oid source, int nworkers, TgBatchCounts *counts);
extern void tg_merge_batch_slice(TgSliceRun *run);

#endif							/* TG_BULK_MERGE_BATCH_H */
