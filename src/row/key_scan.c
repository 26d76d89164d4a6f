/*-------------------------------------------------------------------------
 *
 * src/row/key_scan.c
 *	  Reading rows of a table in the order of their keys, from a key on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "base/compat.h"
#include "row/key_scan.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * Is the index in the order of the key's columns?  Else nothing here is to be
 * called.
 */
bool
tg_key_is_scannable(const TgLeaf *leaf)
{
	return leaf->table->key->is_ascending;
}

/*
 * A scan, in the current memory context, to be begun as often as is liked.
 * Ended by index_endscan().
 */
IndexScanDesc
tg_key_scan_create(TgLeaf *leaf)
{
	return tg_index_beginscan(leaf->rel, leaf->index, SnapshotAny, 1);
}

/*
 * The key of a row, which stays where it is.
 */
void
tg_key_values(TgLeaf *leaf, TupleTableSlot *slot, Datum *values)
{
	TgKeySpec  *spec = leaf->table->key;

	for (int i = 0; i < spec->ncolumns; i++)
	{
		bool		isnull;

		values[i] = slot_getattr(slot, spec->columns[i].attno, &isnull);
		if (isnull)
			elog(ERROR, "null value in key column %d", spec->columns[i].attno);
	}
}

/*
 * Compare the key of leaf->row with these values.
 */
int
tg_key_compare(TgLeaf *leaf, const Datum *values)
{
	TgKeySpec  *spec = leaf->table->key;
	int			cmp = 0;

	for (int i = 0; cmp == 0 && i < spec->ncolumns; i++)
	{
		TgKeyColumn *column = &spec->columns[i];
		bool		isnull;
		Datum		value = slot_getattr(leaf->row, column->attno, &isnull);

		cmp = DatumGetInt32(FunctionCall2Coll(&column->order, column->collation, value, values[i]));
	}
	return cmp;
}

/*
 * One key of the scan: at least these values, compared as a row if there are
 * several.
 */
static void
build_scan_key(TgKeyFrom *from, TgKeySpec *spec)
{
	if (spec->ncolumns == 1)
	{
		ScanKeyEntryInitializeWithInfo(&from->key, 0, 1, BTGreaterEqualStrategyNumber, InvalidOid,
									   spec->columns[0].collation, &spec->columns[0].at_least,
									   from->values[0]);
		return;
	}
	for (int i = 0; i < spec->ncolumns; i++)
		ScanKeyEntryInitializeWithInfo(&from->members[i],
									   SK_ROW_MEMBER | (i == spec->ncolumns - 1 ? SK_ROW_END : 0),
									   i + 1, BTGreaterEqualStrategyNumber, InvalidOid,
									   spec->columns[i].collation, &spec->columns[i].order,
									   from->values[i]);
	memset(&from->key, 0, sizeof(ScanKeyData));
	from->key.sk_flags = SK_ROW_HEADER;
	from->key.sk_attno = 1;
	from->key.sk_strategy = BTGreaterEqualStrategyNumber;
	from->key.sk_argument = PointerGetDatum(from->members);
}

/*
 * Begin at the key of leaf->row.  What is allocated for it lives as long as
 * the scan.
 */
void
tg_key_scan_begin(IndexScanDesc scan, TgKeyFrom *from, TgLeaf *leaf, Snapshot snapshot)
{
	TgKeySpec  *spec = leaf->table->key;
	MemoryContext old;

	if (from->context == NULL)
		from->context = AllocSetContextCreate(GetMemoryChunkContext(scan), "topgun key",
											  ALLOCSET_SMALL_SIZES);
	MemoryContextReset(from->context);
	old = MemoryContextSwitchTo(from->context);
	tg_key_values(leaf, leaf->row, from->values);
	for (int i = 0; i < spec->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(leaf->rel), spec->columns[i].attno - 1);

		from->values[i] = datumCopy(from->values[i], att->attbyval, att->attlen);
	}
	build_scan_key(from, spec);
	MemoryContextSwitchTo(GetMemoryChunkContext(scan));
	scan->xs_snapshot = snapshot;
	index_rescan(scan, &from->key, 1, NULL, 0);
	MemoryContextSwitchTo(old);
}

/*
 * The next row that the snapshot sees, into leaf->found.  False if there is
 * none; or if so many entries of the index have been passed in vain, then
 * max_steps is below zero.
 */
bool
tg_key_scan_next(IndexScanDesc scan, TgLeaf *leaf, int *max_steps)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(scan));
	bool		found = false;

	while (!found && index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		if (--*max_steps < 0)
			break;
		found = index_fetch_heap(scan, leaf->found);
	}
	MemoryContextSwitchTo(old);
	return found;
}

/*
 * Keep no page pinned.  The scan has to begin anew.
 */
void
tg_key_scan_rest(IndexScanDesc scan)
{
	index_rescan(scan, NULL, 1, NULL, 0);
}
