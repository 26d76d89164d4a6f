/*-------------------------------------------------------------------------
 *
 * src/merge/review.h
 *	  Merging again the deletions that were noted as unverified.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_REVIEW_H
#define TG_MERGE_REVIEW_H

extern bool tg_review_deletions(void);

#endif							/* TG_MERGE_REVIEW_H */
