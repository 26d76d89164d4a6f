/*-------------------------------------------------------------------------
 *
 * src/row/range_scan.c
 *	  Rows of one relation whose keys lie in a range, in the order of keys.
 *
 * The range is a condition of the index, also for keys of several columns,
 * which are compared as rows: it is entered at its first key and left behind
 * its last one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "row/range_scan.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

static void
init_column_bound(ScanKey key, Relation index, StrategyNumber strategy, Datum value)
{
	Oid			type = index->rd_opcintype[0];
	Oid			op = get_opfamily_member(index->rd_opfamily[0], type, type, strategy);

	if (!OidIsValid(op))
		elog(ERROR, "missing operator %d for type %u in opfamily %u",
			 strategy, type, index->rd_opfamily[0]);
	ScanKeyEntryInitialize(key, 0, 1, strategy, InvalidOid, index->rd_indcollation[0],
						   get_opcode(op), value);
}

static void
init_row_bound(ScanKey key, Relation index, int ncolumns, StrategyNumber strategy, const Datum *values)
{
	ScanKey		members = palloc(ncolumns * sizeof(ScanKeyData));

	for (int i = 0; i < ncolumns; i++)
		ScanKeyEntryInitialize(&members[i], SK_ROW_MEMBER | (i == ncolumns - 1 ? SK_ROW_END : 0),
							   i + 1, strategy, InvalidOid, index->rd_indcollation[i],
							   index_getprocid(index, i + 1, BTORDER_PROC), values[i]);
	MemSet(key, 0, sizeof(*key));
	key->sk_flags = SK_ROW_HEADER;
	key->sk_attno = 1;
	key->sk_strategy = strategy;
	key->sk_argument = PointerGetDatum(members);
}

/*
 * A condition on the whole key; none for empty bytes.  Returns how many.
 */
static int
init_bound(ScanKey key, TgRangeScan *range, StrategyNumber strategy, TgBytes bound)
{
	TgKeySpec  *spec = range->table->key;
	Datum		values[INDEX_MAX_KEYS];

	if (bound.len == 0)
		return 0;
	tg_key_read(spec, bound, values);
	if (spec->ncolumns == 1)
		init_column_bound(key, range->index, strategy, values[0]);
	else
		init_row_bound(key, range->index, spec->ncolumns, strategy, values);
	return 1;
}

/*
 * Begin to read the rows with keys behind one and up to another, as the
 * snapshot sees them; empty bytes are no limit.  The relation is replicated,
 * and open until tg_range_scan_end().  Errors out with ERRCODE_TG_PROTOCOL if
 * the bytes are not those of keys.
 */
void
tg_range_scan_begin(TgRangeScan *range, Relation rel, Snapshot snapshot, TgBytes after, TgBytes upto)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun range",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ScanKeyData keys[2];
	int			nkeys;

	range->context = context;
	range->rel = rel;
	range->table = tg_table_get(rel);
	range->index = index_open(range->table->key_index, AccessShareLock);
	nkeys = init_bound(&keys[0], range, BTGreaterStrategyNumber, after);
	nkeys += init_bound(&keys[nkeys], range, BTLessEqualStrategyNumber, upto);
	range->scan = tg_index_beginscan(rel, range->index, snapshot, nkeys);
	index_rescan(range->scan, keys, nkeys, NULL, 0);
	range->row = table_slot_create(rel, NULL);
	MemoryContextSwitchTo(old);
}

/*
 * Go to the next row; false if there is none.
 */
bool
tg_range_scan_next(TgRangeScan *range)
{
	MemoryContext old = MemoryContextSwitchTo(range->context);
	bool		found = index_getnext_slot(range->scan, ForwardScanDirection, range->row);

	MemoryContextSwitchTo(old);
	return found;
}

/*
 * End of the scan.  The lock of the index stays.
 */
void
tg_range_scan_end(TgRangeScan *range)
{
	ExecDropSingleTupleTableSlot(range->row);
	index_endscan(range->scan);
	index_close(range->index, NoLock);
	MemoryContextDelete(range->context);
}
