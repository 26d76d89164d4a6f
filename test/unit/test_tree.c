/*-------------------------------------------------------------------------
 *
 * test/unit/test_tree.c
 *	  Trees: sums of rows, digests over sums.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "digest/tree.h"
#include "unit.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(test_tree);

#define MAX_ROWS		200
#define DIGEST			UINT64CONST(0xF1E2D3C4B5A69788)
#define EMPTY_GROUP		UINT64CONST(0x0c0c6fa00c213db1)
#define EMPTY_ROOT		UINT64CONST(0xdafbc9b560fabd9b)

typedef struct Row
{
	uint32		leaf;
	uint64		digest;
} Row;

static uint64
root_of(const TgTree *tree)
{
	uint64		groups[TG_TREE_GROUPS];

	for (int i = 0; i < TG_TREE_GROUPS; i++)
		groups[i] = tg_group_digest(tree->groups[i]);
	return tg_root_digest(groups);
}

/*
 * Rows that share leaves more often than not.
 */
static int
make_rows(Row *rows)
{
	int			nrows = unit_below(MAX_ROWS + 1);

	for (int i = 0; i < nrows; i++)
		rows[i] = (Row)
	{
		.leaf = unit_one_in(2) ? unit_below(3) : unit_edgy(TG_TREE_LEAVES - 1),
			.digest = unit_edgy(PG_UINT64_MAX)
	};
	return nrows;
}

static void
shuffle(Row *rows, int nrows)
{
	for (int i = nrows - 1; i > 0; i--)
	{
		int			j = unit_below(i + 1);
		Row			row = rows[i];

		rows[i] = rows[j];
		rows[j] = row;
	}
}

static void
add_rows(TgTree *tree, const Row *rows, int nrows)
{
	for (int i = 0; i < nrows; i++)
		tg_tree_add_row(tree, rows[i].leaf, rows[i].digest);
}

static void
remove_rows(TgTree *tree, const Row *rows, int nrows)
{
	for (int i = 0; i < nrows; i++)
		tg_tree_remove_row(tree, rows[i].leaf, rows[i].digest);
}

/*
 * Figured out with the xxHash library of another language.
 */
static void
check_pinned(void)
{
	static const struct
	{
		uint32		leaf;
		uint64		root;
	}			one_row[] = {
		{0, UINT64CONST(0xfde3378368f1ba63)},
		{255, UINT64CONST(0xde63c28fc2b1cfcf)},
		{256, UINT64CONST(0xd6620cee13221b33)},
		{65535, UINT64CONST(0x7b2ca057adb4492d)},
	};
	TgTree	   *tree = tg_tree_create();
	TgTreeGroup empty = {0};

	CHECK(tg_group_digest(NULL) == EMPTY_GROUP);
	CHECK(tg_group_digest(&empty) == EMPTY_GROUP);
	CHECK(root_of(tree) == EMPTY_ROOT);
	for (int i = 0; i < lengthof(one_row); i++)
	{
		tg_tree_add_row(tree, one_row[i].leaf, DIGEST);
		CHECK_SHOWING(root_of(tree) == one_row[i].root, "leaf %u", one_row[i].leaf);
		CHECK(tg_tree_leaf(tree, one_row[i].leaf).sum == DIGEST);
		CHECK(tg_tree_leaf(tree, one_row[i].leaf).rows == 1);
		tg_tree_clear(tree);
	}

	/* a row whose digest is zero is a row */
	tg_tree_add_row(tree, 0, 0);
	CHECK(!tg_group_is_empty(tree->groups[0]));
	CHECK(root_of(tree) == UINT64CONST(0xfcb6f5b6ac011889));
	tg_tree_free(tree);
}

/*
 * The first leaf of a group and the last of the one before lie apart.
 */
static void
check_boundaries(void)
{
	static const uint32 leaves[] = {0, 1, 255, 256, 257, 65279, 65280, 65535};
	TgTree	   *tree = tg_tree_create();

	for (int i = 0; i < lengthof(leaves); i++)
	{
		tg_tree_add_row(tree, leaves[i], DIGEST);
		for (uint32 leaf = 0; leaf < TG_TREE_LEAVES; leaf++)
			CHECK_SHOWING(tg_tree_leaf(tree, leaf).rows == (leaf == leaves[i]), "leaf %u", leaf);
		for (int group = 0; group < TG_TREE_GROUPS; group++)
			CHECK(tg_group_is_empty(tree->groups[group]) == (group != leaves[i] / 256));
		tg_tree_clear(tree);
	}
	tg_tree_free(tree);
}

/*
 * Two rows with one digest are not none, nor do they stand for another pair.
 */
static void
check_identical_rows(void)
{
	TgTree	   *tree = tg_tree_create();

	tg_tree_add_row(tree, 7, DIGEST);
	tg_tree_add_row(tree, 7, DIGEST);
	CHECK(tg_tree_leaf(tree, 7).sum == DIGEST * 2);
	CHECK(tg_tree_leaf(tree, 7).rows == 2);
	CHECK(root_of(tree) != EMPTY_ROOT);

	/* sums that meet again after 2^64 differ in the number of rows */
	tg_tree_clear(tree);
	tg_tree_add_row(tree, 7, UINT64CONST(1) << 63);
	tg_tree_add_row(tree, 7, UINT64CONST(1) << 63);
	CHECK(tg_tree_leaf(tree, 7).sum == 0);
	CHECK(!tg_group_is_empty(tree->groups[0]));
	CHECK(root_of(tree) != EMPTY_ROOT);
	tg_tree_free(tree);
}

/*
 * Rows may come in any order, and go again in any other, even before they
 * have come.
 */
static void
check_order(void)
{
	Row			rows[MAX_ROWS];
	int			nrows = make_rows(rows);
	TgTree	   *tree = tg_tree_create();
	uint64		root;

	add_rows(tree, rows, nrows);
	root = root_of(tree);
	CHECK((root == EMPTY_ROOT) == (nrows == 0));

	shuffle(rows, nrows);
	tg_tree_clear(tree);
	add_rows(tree, rows, nrows);
	CHECK(root_of(tree) == root);

	shuffle(rows, nrows);
	remove_rows(tree, rows, nrows);
	CHECK(root_of(tree) == EMPTY_ROOT);
	remove_rows(tree, rows, nrows);
	CHECK((root_of(tree) == EMPTY_ROOT) == (nrows == 0));
	shuffle(rows, nrows);
	add_rows(tree, rows, nrows);
	add_rows(tree, rows, nrows);
	CHECK(root_of(tree) == root);
	tg_tree_free(tree);
}

/*
 * A tree may be the sum of two, and one of them a difference.
 */
static void
check_sums(void)
{
	Row			rows[MAX_ROWS];
	int			nrows = make_rows(rows);
	int			first = unit_below(nrows + 1);
	TgTree	   *whole = tg_tree_create();
	TgTree	   *left = tg_tree_create();
	TgTree	   *right = tg_tree_create();

	add_rows(whole, rows, nrows);
	add_rows(left, rows, first);
	add_rows(right, rows + first, nrows - first);
	tg_tree_add(left, right);
	CHECK(root_of(left) == root_of(whole));

	tg_tree_clear(right);
	remove_rows(right, rows, first);
	tg_tree_add(whole, right);
	tg_tree_clear(left);
	add_rows(left, rows + first, nrows - first);
	CHECK(root_of(whole) == root_of(left));

	tg_tree_free(whole);
	tg_tree_free(left);
	tg_tree_free(right);
}

/*
 * Whatever changes in one leaf changes the root, and so does a row that moves.
 */
static void
check_sensitivity(void)
{
	TgTree	   *tree = tg_tree_create();
	Row			rows[MAX_ROWS];
	uint32		leaf = unit_edgy(TG_TREE_LEAVES - 1);
	uint64		digest = pg_prng_uint64(&pg_global_prng_state);
	uint64		root;

	add_rows(tree, rows, make_rows(rows));
	tg_tree_add_row(tree, leaf, digest);
	root = root_of(tree);

	tg_tree_remove_row(tree, leaf, digest);
	CHECK(root_of(tree) != root);
	tg_tree_add_row(tree, leaf, digest ^ (UINT64CONST(1) << unit_below(64)));
	CHECK(root_of(tree) != root);
	tg_tree_clear(tree);

	tg_tree_add_row(tree, leaf, digest);
	root = root_of(tree);
	tg_tree_clear(tree);
	tg_tree_add_row(tree, (leaf + 1) % TG_TREE_LEAVES, digest);
	CHECK(root_of(tree) != root);
	tg_tree_free(tree);
}

static void
make_group(StringInfo buf)
{
	TgTreeGroup group = {0};
	int			start = buf->len;

	for (int i = 0; i < TG_GROUP_LEAVES; i++)
	{
		if (unit_one_in(2))
			continue;
		group.leaves[i].sum = unit_edgy(PG_UINT64_MAX);
		group.leaves[i].rows = unit_edgy(PG_UINT32_MAX);
	}
	tg_group_write(buf, &group);
	CHECK(buf->len - start == TG_GROUP_BYTES);
}

static bool
copy_group(TgReader *reader, StringInfo out)
{
	TgTreeGroup group;

	if (!tg_group_read(reader, &group))
		return false;
	tg_group_write(out, &group);
	return true;
}

static const UnitCodec codec = {"group", make_group, copy_group};

/*
 * Read what was written; the digest of a group is that of its bytes.
 */
static void
check_group(void)
{
	StringInfoData buf;
	TgReader	reader;
	TgTreeGroup group;

	initStringInfo(&buf);
	make_group(&buf);
	tg_reader_init(&reader, buf.data, buf.len);
	CHECK(tg_group_read(&reader, &group));
	CHECK(tg_group_is_empty(&group) == (tg_group_digest(&group) == EMPTY_GROUP));

	group.leaves[unit_below(TG_GROUP_LEAVES)].rows ^= 1 << unit_below(32);
	resetStringInfo(&buf);
	tg_group_write(&buf, &group);
	tg_reader_init(&reader, buf.data, buf.len - 1);
	CHECK(!tg_group_read(&reader, &group));
}

/*
 * The suite.
 */
Datum
test_tree(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "tree rounds",
												  ALLOCSET_DEFAULT_SIZES);

	check_pinned();
	check_boundaries();
	check_identical_rows();
	for (int i = 0; i < rounds / 10000; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		check_order();
		check_sums();
		check_sensitivity();
		check_group();
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	unit_check_codec(&codec, rounds / 10000);
	PG_RETURN_VOID();
}
