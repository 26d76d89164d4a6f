/*-------------------------------------------------------------------------
 *
 * src/row/gap.c
 *	  A range of keys in which a table has no rows.
 *
 * Whoever inserts many rows in the order of their keys finds, for each, that
 * there is none.  So where several look-ups in a row have found nothing, the
 * next row after the last of them is looked for: up to its key, all others can
 * do without a look-up.
 *
 * Others may insert rows into the gap as soon as it is known.  It spares
 * look-ups; what decides is the unique index.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "row/gap.h"
#include "row/key_scan.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define MIN_MISSES		4		/* in a row, before a gap is looked for */
#define MAX_MISSES		4096	/* the same where gaps prove to be small */
#define WORTH_HITS		8		/* a gap is small if it spares less */
#define MAX_STEPS		16		/* dead entries of the index to be passed */

struct TgGap
{
	TgLeaf	   *leaf;
	MemoryContext context;
	IndexScanDesc scan;
	bool		is_known;
	bool		has_end;		/* a row is behind it */
	TgKeyFrom	begin;			/* it is not in the gap itself */
	MemoryContext end_context;	/* reset with each gap */
	Datum		end[INDEX_MAX_KEYS];	/* nor is this one */
	int			hits;			/* of this gap */
	int			misses;			/* look-ups that have found nothing */
	int			patience;		/* so many, before the next is looked for */
};

/*
 * Is the key of leaf->row one that was not there a moment ago?  The gap may be
 * NULL.
 */
bool
tg_gap_has(TgGap *gap)
{
	if (gap == NULL || !gap->is_known)
		return false;
	if (tg_key_compare(gap->leaf, gap->begin.values) <= 0 ||
		(gap->has_end && tg_key_compare(gap->leaf, gap->end) >= 0))
		return false;
	gap->hits++;
	return true;
}

static TgGap *
create(TgLeaf *leaf)
{
	MemoryContext context = AllocSetContextCreate(GetMemoryChunkContext(leaf->scan), "topgun gap",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgGap	   *gap = palloc0(sizeof(TgGap));

	gap->leaf = leaf;
	gap->context = context;
	gap->scan = tg_key_scan_create(leaf);
	gap->end_context = AllocSetContextCreate(context, "topgun gap end", ALLOCSET_SMALL_SIZES);
	gap->patience = MIN_MISSES;
	MemoryContextSwitchTo(old);
	return gap;
}

static void
copy_end(TgGap *gap)
{
	TgKeySpec  *spec = gap->leaf->table->key;
	MemoryContext old = MemoryContextSwitchTo(gap->end_context);

	MemoryContextReset(gap->end_context);
	tg_key_values(gap->leaf, gap->leaf->found, gap->end);
	for (int i = 0; i < spec->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(gap->leaf->rel),
											  spec->columns[i].attno - 1);

		gap->end[i] = datumCopy(gap->end[i], att->attbyval, att->attlen);
	}
	ExecClearTuple(gap->leaf->found);
	MemoryContextSwitchTo(old);
}

/*
 * Find the first row behind the key of leaf->row, one that a running
 * transaction has written or deleted as well.
 */
static void
look_for_gap(TgGap *gap)
{
	SnapshotData dirty;
	int			steps = MAX_STEPS;

	InitDirtySnapshot(dirty);
	tg_key_scan_begin(gap->scan, &gap->begin, gap->leaf, &dirty);
	gap->has_end = tg_key_scan_next(gap->scan, gap->leaf, &steps);
	tg_key_scan_rest(gap->scan);
	gap->is_known = steps >= 0;
	if (gap->has_end)
		copy_end(gap);
}

/*
 * A look-up for leaf->row has found a row or none: now and then, after one
 * that has not, look how far the gap reaches.  Scribbles on leaf->found if
 * there was none.  Returns the gap, NULL as long as there is no need for one.
 */
TgGap *
tg_gap_note(TgGap *gap, TgLeaf *leaf, bool found)
{
	if (found || !tg_key_is_scannable(leaf))
	{
		if (gap != NULL)
			gap->misses = 0;
		return gap;
	}
	if (gap == NULL)
		gap = create(leaf);
	if (++gap->misses < gap->patience)
		return gap;

	if (gap->is_known)
		gap->patience = gap->hits >= WORTH_HITS ? MIN_MISSES : Min(gap->patience * 2, MAX_MISSES);
	gap->misses = 0;
	gap->hits = 0;
	look_for_gap(gap);
	if (!gap->is_known)
		gap->patience = Min(gap->patience * 2, MAX_MISSES);
	return gap;
}

/*
 * Forget what is known.  The gap may be NULL.
 */
void
tg_gap_close(TgGap *gap)
{
	if (gap == NULL)
		return;
	index_endscan(gap->scan);
	MemoryContextDelete(gap->context);
}
