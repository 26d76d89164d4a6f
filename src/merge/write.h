/*-------------------------------------------------------------------------
 *
 * src/merge/write.h
 *	  Insert, update and delete rows the way a merge does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_WRITE_H
#define TG_MERGE_WRITE_H

#include "row/target.h"

typedef enum TgInsertResult
{
	TG_INSERT_DONE,
	TG_INSERT_KEY_TAKEN,		/* somebody else was faster; nothing is left */
	TG_INSERT_IS_DELETED,		/* a tombstone is as new; nothing is left */
	TG_INSERT_IS_DOUBTFUL		/* one may have been collected; nothing is
								 * left */
} TgInsertResult;

extern bool tg_leaf_is_deleted(TgLeaf *leaf, TgStamp stamp, TgBytes key);
extern bool tg_stamp_is_doubtful(TgStamp stamp);
extern TgInsertResult tg_leaf_insert(TgTarget *target, TgLeaf *leaf, TgStamp stamp, TgBytes key,
									 bool may_doubt);
extern void tg_leaf_prepare(TgTarget *target, TgLeaf *leaf, CmdType operation);
extern void tg_leaf_index(TgTarget *target, TgLeaf *leaf, TupleTableSlot *row);
extern bool tg_leaf_try_update(TgTarget *target, TgLeaf *leaf);
extern bool tg_leaf_try_delete(TgLeaf *leaf);
extern void tg_leaf_update(TgTarget *target, TgLeaf *leaf);
extern void tg_leaf_delete(TgTarget *target, TgLeaf *leaf, TgStamp stamp);

#endif							/* TG_MERGE_WRITE_H */
