/*-------------------------------------------------------------------------
 *
 * src/merge/change.h
 *	  Merge one change: make our row the newer of ours and theirs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_CHANGE_H
#define TG_MERGE_CHANGE_H

#include "merge/session.h"
#include "row/change.h"

extern void tg_merge_change(TgMerge *merge, TgTarget *target, const TgChange *change);
extern bool tg_merge_step_aside(TgMerge *merge, TgTarget *target, const TgChange *change);

#endif							/* TG_MERGE_CHANGE_H */
