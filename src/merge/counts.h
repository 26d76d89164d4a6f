/*-------------------------------------------------------------------------
 *
 * src/merge/counts.h
 *	  What merges count.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_COUNTS_H
#define TG_MERGE_COUNTS_H

/* Concurrent changes: of ours and theirs. */
typedef enum TgConflictKind
{
	TG_CONFLICT_CHANGED_CHANGED,
	TG_CONFLICT_CHANGED_DELETED,
	TG_CONFLICT_DELETED_CHANGED
} TgConflictKind;

#define TG_CONFLICT_KINDS	(TG_CONFLICT_DELETED_CHANGED + 1)

/* What a merge is part of; for those who count. */
typedef enum TgMergeSource
{
	TG_MERGE_PULL,
	TG_MERGE_COPY,
	TG_MERGE_REPAIR,
	TG_MERGE_IMPORT,
	TG_MERGE_RETRY
} TgMergeSource;

#define TG_MERGE_SOURCES	(TG_MERGE_RETRY + 1)

/* What one merging transaction has done. */
typedef struct TgMergeCounts
{
	int64		applied;		/* theirs was newer */
	int64		older;			/* ours was newer */
	int64		equal;			/* we had it */
	int64		conflicts;		/* concurrent ones among applied and older */
	int64		quarantined;
	int64		deleted;		/* deletions among applied */
	int64		conflicts_lost; /* theirs won */
	int64		conflicts_of[TG_CONFLICT_KINDS];
} TgMergeCounts;

extern void tg_counts_add(TgMergeCounts *counts, const TgMergeCounts *more);
extern void tg_counts_subtract(TgMergeCounts *counts, const TgMergeCounts *less);

#endif							/* TG_MERGE_COUNTS_H */
