/*-------------------------------------------------------------------------
 *
 * src/merge/session.h
 *	  The surroundings of a merge: role, settings, and whom it merges from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_SESSION_H
#define TG_MERGE_SESSION_H

#include "clock/vector.h"
#include "merge/counts.h"
#include "row/target.h"
#include "storage/lockdefs.h"

/*
 * A row that is not here, has no tombstone and is not newer than one that was
 * collected may have been deleted.  What becomes of it?
 */
typedef enum TgDoubt
{
	TG_DOUBT_UNLESS_COVERED,	/* dropped if we have had it, else refused */
	TG_DOUBT_ALWAYS,			/* refused */
	TG_DOUBT_NEVER				/* merged: the sender knows */
} TgDoubt;

typedef struct TgMerge
{
	TgNodeId	peer;			/* 0: nobody in particular */
	TgMergeSource source;
	TgDoubt		doubt;
	bool		is_wary;		/* look for a tombstone before an insertion,
								 * too: a failure shall not hide one */
	const TgVector *peer_vector;	/* what the peer had merged, or NULL */
	bool		is_import;		/* changes decide by their stamps, but what is
								 * written gets fresh ones */
	bool		expects_absent; /* do not look rows up before their insertion,
								 * until one turns out to be there */
	bool		leaves_conflicts;	/* what unique values are in the way of is
									 * left, and counted here: */
	int64		nleft;
	TgMergeCounts counts;
	MemoryContext scratch;		/* reset for each change */
	bool		was_for_cluster;	/* see journal/stamping.c */
	int			guc_nest;
} TgMerge;

extern void tg_merge_begin(TgMerge *merge, TgNodeId peer, const TgVector *peer_vector);
extern void tg_merge_end(TgMerge *merge);
extern TgTarget *tg_merge_open_table(TgTableId id, LOCKMODE lockmode);
extern void tg_merge_close_table(TgTarget *target);

#endif							/* TG_MERGE_SESSION_H */
