/*-------------------------------------------------------------------------
 *
 * src/digest/tree.h
 *	  The Merkle tree of a table: 65,536 leaves in groups of 256.  Pure.
 *
 * A leaf is the sum, modulo 2^64, of the digests of its rows, and their
 * number, modulo 2^32; so rows may be added and taken away in any order, and
 * a tree may as well be a difference of two.  The digest of a group is the
 * XXH3 of its leaves, the root that of the groups.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_DIGEST_TREE_H
#define TG_DIGEST_TREE_H

#include "base/bytes.h"

#define TG_TREE_GROUPS			256
#define TG_GROUP_LEAVES			256
#define TG_TREE_LEAVES			(TG_TREE_GROUPS * TG_GROUP_LEAVES)
#define TG_GROUP_BYTES			(TG_GROUP_LEAVES * 12)	/* encoded */

typedef struct TgLeafDigest
{
	uint64		sum;
	uint32		rows;
} TgLeafDigest;

typedef struct TgTreeGroup
{
	TgLeafDigest leaves[TG_GROUP_LEAVES];
} TgTreeGroup;

/* A group that is NULL has only empty leaves. */
typedef struct TgTree
{
	MemoryContext context;		/* of the groups */
	TgTreeGroup *groups[TG_TREE_GROUPS];
} TgTree;

extern TgTree *tg_tree_create(void);
extern void tg_tree_free(TgTree *tree);
extern void tg_tree_clear(TgTree *tree);
extern void tg_tree_add_row(TgTree *tree, uint32 leaf, uint64 digest);
extern void tg_tree_remove_row(TgTree *tree, uint32 leaf, uint64 digest);
extern void tg_tree_add(TgTree *tree, const TgTree *other);
extern TgLeafDigest tg_tree_leaf(const TgTree *tree, uint32 leaf);

extern void tg_group_add(TgTreeGroup *group, const TgTreeGroup *other);
extern bool tg_group_is_empty(const TgTreeGroup *group);
extern uint64 tg_group_digest(const TgTreeGroup *group);	/* NULL: empty leaves */
extern uint64 tg_root_digest(const uint64 *groups);
extern void tg_group_write(StringInfo buf, const TgTreeGroup *group);
extern bool tg_group_read(TgReader *reader, TgTreeGroup *group);

#endif							/* TG_DIGEST_TREE_H */
