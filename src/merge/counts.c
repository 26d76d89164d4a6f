/*-------------------------------------------------------------------------
 *
 * src/merge/counts.c
 *	  What merges count.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "merge/counts.h"

/*
 * Add up what was done.
 */
void
tg_counts_add(TgMergeCounts *counts, const TgMergeCounts *more)
{
	counts->applied += more->applied;
	counts->older += more->older;
	counts->equal += more->equal;
	counts->conflicts += more->conflicts;
	counts->quarantined += more->quarantined;
	counts->deleted += more->deleted;
	counts->conflicts_lost += more->conflicts_lost;
	for (int i = 0; i < TG_CONFLICT_KINDS; i++)
		counts->conflicts_of[i] += more->conflicts_of[i];
}

/*
 * What was done since "less" was.
 */
void
tg_counts_subtract(TgMergeCounts *counts, const TgMergeCounts *less)
{
	counts->applied -= less->applied;
	counts->older -= less->older;
	counts->equal -= less->equal;
	counts->conflicts -= less->conflicts;
	counts->quarantined -= less->quarantined;
	counts->deleted -= less->deleted;
	counts->conflicts_lost -= less->conflicts_lost;
	for (int i = 0; i < TG_CONFLICT_KINDS; i++)
		counts->conflicts_of[i] -= less->conflicts_of[i];
}
