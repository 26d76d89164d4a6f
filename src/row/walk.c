/*-------------------------------------------------------------------------
 *
 * src/row/walk.c
 *	  Looking up keys that come in the order of the index.
 *
 * If the key that is looked for is the next one of the index, or one of the
 * next, there is no need to descend from the root for it: that is how it is
 * with rows that were written together.  To begin such a walk reads a page of
 * the index to its end, so it is not tried often where it leads nowhere.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "row/key_scan.h"
#include "row/walk.h"
#include "utils/memutils.h"

#define MAX_STEPS		8		/* entries of the index, for one key */
#define WORTH_HITS		16		/* a walk pays if it finds so many */
#define MIN_PATIENCE	4		/* keys looked up one by one, before a walk */
#define MAX_PATIENCE	4096

typedef struct TgWalk
{
	bool		is_under_way;	/* leaf->found is where we are */
	Snapshot	snapshot;
	TgKeyFrom	from;
	int			hits;			/* of this walk */
	int			patience;
	int			nsingle;		/* how many of them are left */
} TgWalk;

static void
create(TgLeaf *leaf)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(leaf->scan));

	leaf->walk = palloc0(sizeof(TgWalk));
	leaf->walk->nsingle = leaf->walk->patience = MIN_PATIENCE;
	leaf->walk_scan = tg_key_scan_create(leaf);
	MemoryContextSwitchTo(old);
}

static int
compare_with_found(TgLeaf *leaf)
{
	Datum		values[INDEX_MAX_KEYS];

	tg_key_values(leaf, leaf->found, values);
	return tg_key_compare(leaf, values);
}

/*
 * Go on until the key is found, or one behind it.  False if it was neither.
 */
static bool
go_on(TgLeaf *leaf, bool *found)
{
	int			steps = MAX_STEPS;
	int			cmp = 1;

	while (cmp > 0 && tg_key_scan_next(leaf->walk_scan, leaf, &steps))
		cmp = compare_with_found(leaf);
	leaf->walk->is_under_way = cmp == 0;
	*found = cmp == 0;
	return steps >= 0;
}

static bool
try_walk(TgLeaf *leaf, Snapshot snapshot, bool *found)
{
	TgWalk	   *walk = leaf->walk;

	if (!walk->is_under_way || walk->snapshot != snapshot || compare_with_found(leaf) <= 0)
		return false;
	if (!go_on(leaf, found))
		return false;
	walk->hits++;
	return true;
}

/*
 * Begin a walk at this key.
 */
static bool
try_begin(TgLeaf *leaf, Snapshot snapshot, bool *found)
{
	TgWalk	   *walk = leaf->walk;

	walk->patience = walk->hits >= WORTH_HITS ? MIN_PATIENCE : Min(walk->patience * 2, MAX_PATIENCE);
	walk->nsingle = walk->patience;
	walk->hits = 0;
	walk->snapshot = snapshot;
	tg_key_scan_begin(leaf->walk_scan, &walk->from, leaf, snapshot);
	return go_on(leaf, found);
}

/*
 * Look the key of leaf->row up, as tg_leaf_find() does.  The snapshot must be
 * one that keeps what it sees, and leaf->found is not to be touched between
 * the calls.
 */
bool
tg_leaf_walk_to(TgLeaf *leaf, Snapshot snapshot)
{
	bool		found;

	if (!tg_key_is_scannable(leaf))
		return tg_leaf_find(leaf, snapshot);
	if (leaf->walk == NULL)
		create(leaf);
	if (try_walk(leaf, snapshot, &found))
		return found;
	if (leaf->walk->nsingle == 0 && try_begin(leaf, snapshot, &found))
		return found;
	leaf->walk->nsingle = Max(leaf->walk->nsingle - 1, 0);
	leaf->walk->is_under_way = false;
	return tg_leaf_find(leaf, snapshot);
}
