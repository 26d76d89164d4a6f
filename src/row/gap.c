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
#include "access/nbtree.h"
#include "base/compat.h"
#include "row/gap.h"
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
	MemoryContext bounds;		/* of the keys below; reset with each gap */
	Datum		begin[INDEX_MAX_KEYS];	/* it is not in the gap itself */
	Datum		end[INDEX_MAX_KEYS];	/* nor is this one */
	int			hits;			/* of this gap */
	int			misses;			/* look-ups that have found nothing */
	int			patience;		/* so many, before the next is looked for */
};

static int
compare_with(TgLeaf *leaf, const Datum *bound)
{
	TgKeySpec  *spec = leaf->table->key;
	int			cmp = 0;

	for (int i = 0; cmp == 0 && i < spec->ncolumns; i++)
	{
		TgKeyColumn *column = &spec->columns[i];
		bool		isnull;
		Datum		value = slot_getattr(leaf->row, column->attno, &isnull);

		if (isnull)
			return 0;			/* in no gap: the look-up will complain */
		cmp = DatumGetInt32(FunctionCall2Coll(&column->order, column->collation, value, bound[i]));
	}
	return cmp;
}

/*
 * Is the key of leaf->row one that was not there a moment ago?  The gap may be
 * NULL.
 */
bool
tg_gap_has(TgGap *gap)
{
	if (gap == NULL || !gap->is_known)
		return false;
	if (compare_with(gap->leaf, gap->begin) <= 0 ||
		(gap->has_end && compare_with(gap->leaf, gap->end) >= 0))
		return false;
	gap->hits++;
	return true;
}

static TgGap *
create(TgLeaf *leaf)
{
	MemoryContext context = AllocSetContextCreate(GetMemoryChunkContext(leaf->scan), "topgun gap",
												  ALLOCSET_SMALL_SIZES);
	TgGap	   *gap = MemoryContextAllocZero(context, sizeof(TgGap));

	gap->leaf = leaf;
	gap->context = context;
	gap->bounds = AllocSetContextCreate(context, "topgun gap bounds", ALLOCSET_SMALL_SIZES);
	gap->patience = MIN_MISSES;
	return gap;
}

static void
copy_key(TgLeaf *leaf, TupleTableSlot *slot, Datum *bound)
{
	TgKeySpec  *spec = leaf->table->key;

	for (int i = 0; i < spec->ncolumns; i++)
	{
		int			attno = spec->columns[i].attno;
		Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, attno - 1);
		bool		isnull;
		Datum		value = slot_getattr(slot, attno, &isnull);

		bound[i] = datumCopy(value, att->attbyval, att->attlen);
	}
}

/*
 * One key of the scan: at least the key at which the gap begins.  Members are
 * those of a comparison of rows, if it has several columns.
 */
static void
build_scan_key(TgGap *gap, ScanKey key, ScanKey members)
{
	TgKeySpec  *spec = gap->leaf->table->key;

	if (spec->ncolumns == 1)
	{
		ScanKeyEntryInitializeWithInfo(key, 0, 1, BTGreaterEqualStrategyNumber, InvalidOid,
									   spec->columns[0].collation, &spec->columns[0].at_least,
									   gap->begin[0]);
		return;
	}
	for (int i = 0; i < spec->ncolumns; i++)
		ScanKeyEntryInitializeWithInfo(&members[i],
									   SK_ROW_MEMBER | (i == spec->ncolumns - 1 ? SK_ROW_END : 0),
									   i + 1, BTGreaterEqualStrategyNumber, InvalidOid,
									   spec->columns[i].collation, &spec->columns[i].order,
									   gap->begin[i]);
	memset(key, 0, sizeof(ScanKeyData));
	key->sk_flags = SK_ROW_HEADER;
	key->sk_attno = 1;
	key->sk_strategy = BTGreaterEqualStrategyNumber;
	key->sk_argument = PointerGetDatum(members);
}

/*
 * Find the first row from gap->begin on, one that a running transaction has
 * written or deleted as well.  False if that takes too long.
 */
static bool
find_end(TgGap *gap)
{
	SnapshotData dirty;
	ScanKeyData key;
	ScanKeyData members[INDEX_MAX_KEYS];
	int			steps = 0;

	InitDirtySnapshot(dirty);
	build_scan_key(gap, &key, members);
	gap->scan->xs_snapshot = &dirty;
	index_rescan(gap->scan, &key, 1, NULL, 0);
	gap->has_end = false;
	while (index_getnext_tid(gap->scan, ForwardScanDirection) != NULL && steps++ < MAX_STEPS)
		if (index_fetch_heap(gap->scan, gap->leaf->found))
		{
			gap->has_end = true;
			break;
		}
	index_rescan(gap->scan, NULL, 1, NULL, 0);	/* drops the pins */
	return steps <= MAX_STEPS;
}

static void
look_for_gap(TgGap *gap)
{
	TgLeaf	   *leaf = gap->leaf;
	MemoryContext old = MemoryContextSwitchTo(gap->context);

	if (gap->scan == NULL)
		gap->scan = tg_index_beginscan(leaf->rel, leaf->index, SnapshotAny, 1);
	MemoryContextSwitchTo(gap->bounds);
	MemoryContextReset(gap->bounds);
	copy_key(leaf, leaf->row, gap->begin);
	MemoryContextSwitchTo(gap->context);
	gap->is_known = find_end(gap);
	MemoryContextSwitchTo(gap->bounds);
	if (gap->is_known && gap->has_end)
		copy_key(leaf, leaf->found, gap->end);
	ExecClearTuple(leaf->found);
	MemoryContextSwitchTo(old);
}

/*
 * A look-up for leaf->row has found a row or none: now and then, after one
 * that has not, look how far the gap reaches.  Scribbles on leaf->found if
 * there was none.  Returns the gap, NULL as long as there is no need for one.
 */
TgGap *
tg_gap_note(TgGap *gap, TgLeaf *leaf, bool found)
{
	if (found || !leaf->table->key->is_ascending)
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
	if (gap->scan != NULL)
		index_endscan(gap->scan);
	MemoryContextDelete(gap->context);
}
