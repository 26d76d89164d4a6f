/*-------------------------------------------------------------------------
 *
 * src/digest/tree_store.h
 *	  The trees on disk: topgun.merkle_tree and topgun.merkle_leaf.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_DIGEST_TREE_STORE_H
#define TG_DIGEST_TREE_STORE_H

#include "base/types.h"
#include "digest/tree.h"
#include "utils/snapshot.h"

/* The upper levels of a tree.  A table that has none has an empty one. */
typedef struct TgTreeHead
{
	uint64		root;
	int64		rows;
	uint64		groups[TG_TREE_GROUPS];
} TgTreeHead;

extern void tg_tree_load_head(TgTableId table, Snapshot snapshot, TgTreeHead *head);
extern bool tg_tree_load_group(TgTableId table, int group, Snapshot snapshot, TgTreeGroup *leaves);
extern TgTree *tg_tree_load(TgTableId table, Snapshot snapshot);
extern void tg_tree_apply(TgTableId table, const TgTree *delta, bool from_empty);
extern int	tg_tree_replace(TgTableId table, const TgTree *tree);
extern void tg_tree_forget(TgTableId table);

#endif							/* TG_DIGEST_TREE_STORE_H */
