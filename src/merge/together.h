/*-------------------------------------------------------------------------
 *
 * src/merge/together.h
 *	  Merge many changes of one table in few steps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_TOGETHER_H
#define TG_MERGE_TOGETHER_H

#include "merge/session.h"
#include "row/change.h"

extern void tg_merge_together(TgMerge *merge, TgTarget *target, const TgChange **changes, int nchanges);

#endif							/* TG_MERGE_TOGETHER_H */
