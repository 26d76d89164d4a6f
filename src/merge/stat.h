/*-------------------------------------------------------------------------
 *
 * src/merge/stat.h
 *	  Counters of what merges have done, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_STAT_H
#define TG_MERGE_STAT_H

#include "datatype/timestamp.h"
#include "merge/counts.h"

typedef struct TgMergeStat
{
	int64		merges;			/* that were committed */
	TimestampTz last;			/* 0: none */
	TgMergeCounts counts;
} TgMergeStat;

extern void tg_merge_stat_note(TgMergeSource source, const TgMergeCounts *counts);
extern void tg_merge_stat_get(TgMergeSource source, TgMergeStat *stat);
extern TimestampTz tg_merge_stat_since(void);
extern void tg_merge_stat_reset(void);

extern Size tg_merge_stat_shmem_size(void);
extern void tg_merge_stat_shmem_attach(void *ptr, bool found);

#endif							/* TG_MERGE_STAT_H */
