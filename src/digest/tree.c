/*-------------------------------------------------------------------------
 *
 * src/digest/tree.c
 *	  The Merkle tree of a table: 65,536 leaves in groups of 256.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/hash.h"
#include "digest/tree.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

/*
 * A tree without rows, with a child of the current memory context for its
 * groups.
 */
TgTree *
tg_tree_create(void)
{
	TgTree	   *tree = palloc0(sizeof(TgTree));

	tree->context = AllocSetContextCreate(CurrentMemoryContext, "topgun tree",
										  ALLOCSET_DEFAULT_SIZES);
	return tree;
}

/*
 * The mirror of tg_tree_create().
 */
void
tg_tree_free(TgTree *tree)
{
	MemoryContextDelete(tree->context);
	pfree(tree);
}

/*
 * Take all rows away.
 */
void
tg_tree_clear(TgTree *tree)
{
	MemoryContextReset(tree->context);
	memset(tree->groups, 0, sizeof(tree->groups));
}

static TgTreeGroup *
group_of(TgTree *tree, int number)
{
	if (unlikely(tree->groups[number] == NULL))
		tree->groups[number] = MemoryContextAllocZero(tree->context, sizeof(TgTreeGroup));
	return tree->groups[number];
}

static TgLeafDigest *
leaf_of(TgTree *tree, uint32 leaf)
{
	Assert(leaf < TG_TREE_LEAVES);
	return &group_of(tree, leaf / TG_GROUP_LEAVES)->leaves[leaf % TG_GROUP_LEAVES];
}

/*
 * A row has come into a leaf.
 */
void
tg_tree_add_row(TgTree *tree, uint32 leaf, uint64 digest)
{
	TgLeafDigest *into = leaf_of(tree, leaf);

	into->sum += digest;
	into->rows++;
}

/*
 * A row has gone from a leaf, whether it is in this tree or not: the tree is
 * a difference, then.
 */
void
tg_tree_remove_row(TgTree *tree, uint32 leaf, uint64 digest)
{
	TgLeafDigest *from = leaf_of(tree, leaf);

	from->sum -= digest;
	from->rows--;
}

/*
 * Add the rows of another tree, or apply a difference.
 */
void
tg_tree_add(TgTree *tree, const TgTree *other)
{
	for (int i = 0; i < TG_TREE_GROUPS; i++)
		if (other->groups[i] != NULL)
			tg_group_add(group_of(tree, i), other->groups[i]);
}

/*
 * One leaf.
 */
TgLeafDigest
tg_tree_leaf(const TgTree *tree, uint32 leaf)
{
	const TgTreeGroup *group = tree->groups[leaf / TG_GROUP_LEAVES];
	TgLeafDigest empty = {0, 0};

	return group == NULL ? empty : group->leaves[leaf % TG_GROUP_LEAVES];
}

/*
 * Add the leaves of another group, one by one.
 */
void
tg_group_add(TgTreeGroup *group, const TgTreeGroup *other)
{
	for (int i = 0; i < TG_GROUP_LEAVES; i++)
	{
		group->leaves[i].sum += other->leaves[i].sum;
		group->leaves[i].rows += other->leaves[i].rows;
	}
}

/*
 * Are all leaves empty?  NULL is a group as well.
 */
bool
tg_group_is_empty(const TgTreeGroup *group)
{
	if (group == NULL)
		return true;
	for (int i = 0; i < TG_GROUP_LEAVES; i++)
		if (group->leaves[i].sum != 0 || group->leaves[i].rows != 0)
			return false;
	return true;
}

/*
 * The bytes of a group: of each leaf the sum, then the number of rows.
 */
static void
encode(char *at, const TgTreeGroup *group)
{
	for (int i = 0; i < TG_GROUP_LEAVES; i++)
	{
		uint64		sum = pg_hton64(group->leaves[i].sum);
		uint32		rows = pg_hton32(group->leaves[i].rows);

		memcpy(at, &sum, sizeof(sum));
		memcpy(at + sizeof(sum), &rows, sizeof(rows));
		at += sizeof(sum) + sizeof(rows);
	}
}

/*
 * The digest of a group; that of empty leaves for NULL.
 */
uint64
tg_group_digest(const TgTreeGroup *group)
{
	char		bytes[TG_GROUP_BYTES] = {0};

	if (group != NULL)
		encode(bytes, group);
	return tg_hash64(bytes, sizeof(bytes));
}

/*
 * The root over the digests of all groups, of which there are TG_TREE_GROUPS.
 */
uint64
tg_root_digest(const uint64 *groups)
{
	uint64		bytes[TG_TREE_GROUPS];

	for (int i = 0; i < TG_TREE_GROUPS; i++)
		bytes[i] = pg_hton64(groups[i]);
	return tg_hash64(bytes, sizeof(bytes));
}

/*
 * Append the TG_GROUP_BYTES bytes of a group.
 */
void
tg_group_write(StringInfo buf, const TgTreeGroup *group)
{
	char		bytes[TG_GROUP_BYTES];

	encode(bytes, group);
	tg_write_bytes(buf, bytes, sizeof(bytes));
}

/*
 * Read what tg_group_write() has written; false if it is not all there.
 */
bool
tg_group_read(TgReader *reader, TgTreeGroup *group)
{
	for (int i = 0; i < TG_GROUP_LEAVES; i++)
	{
		group->leaves[i].sum = tg_read_u64(reader);
		group->leaves[i].rows = tg_read_u32(reader);
	}
	return tg_reader_ok(reader);
}
