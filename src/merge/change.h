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

/* How a change compares with what is here. */
typedef enum TgVerdict
{
	THEIRS_NEWER, SAME, OURS_NEWER
} TgVerdict;

extern void tg_merge_count(TgMerge *merge, TgVerdict verdict);
extern TgStamp tg_merge_stamp(TgMerge *merge, const TgChange *change, TgStamp replaced);
extern void tg_merge_stamp_row(TgMerge *merge, TgLeaf *leaf, const TgChange *change,
							   TgStamp replaced);
extern bool tg_leaf_find_settled(TgLeaf *leaf);
extern bool tg_leaf_lock_found(TgLeaf *leaf);
extern TgVerdict tg_merge_judge(TgLeaf *leaf, const TgChange *change);
extern bool tg_merge_lets_pass(TgTarget *target, TgBytes key, TgStamp stamp);
extern void tg_merge_change(TgMerge *merge, TgTarget *target, const TgChange *change);
extern bool tg_merge_step_aside(TgMerge *merge, TgTarget *target, const TgChange *change);

#endif							/* TG_MERGE_CHANGE_H */
