/*-------------------------------------------------------------------------
 *
 * src/merge/unverified.h
 *	  Merged deletions that an older local write may still come after.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_UNVERIFIED_H
#define TG_MERGE_UNVERIFIED_H

#include "row/change.h"

extern void tg_unverified_note(TgTableId table, const TgChange *deletion);
extern bool tg_unverified_review(void);

#endif							/* TG_MERGE_UNVERIFIED_H */
