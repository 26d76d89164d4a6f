/*-------------------------------------------------------------------------
 *
 * src/bulk/leaf_rows.c
 *	  The keys of chosen leaves of a table, in the order of leaf and key
 *	  bytes.
 *
 * A leaf is a matter of the hash of a key, so its rows lie all over the
 * table: it is read whole, and what belongs to the leaves is sorted, on disk
 * if it is more than maintenance_work_mem.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "bulk/leaf_rows.h"
#include "bulk/row_scan.h"
#include "catalog/pg_type.h"
#include "digest/row_digest.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

enum
{
	ROW_LEAF = 1, ROW_KEY, ROW_STAMP, ROW_DIGEST
};

#define ROW_COLUMNS		ROW_DIGEST
#define SORT_COLUMNS	2		/* leaf and key */

struct TgLeafRows
{
	TupleDesc	desc;
	TupleTableSlot *slot;		/* the row read last */
	Tuplesortstate *sort;
};

static TupleDesc
describe_row(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(ROW_COLUMNS);

	TupleDescInitEntry(desc, ROW_LEAF, "leaf", INT4OID, -1, 0);
	TupleDescInitEntry(desc, ROW_KEY, "key", BYTEAOID, -1, 0);
	TupleDescInitEntry(desc, ROW_STAMP, "stamp", INT8OID, -1, 0);
	TupleDescInitEntry(desc, ROW_DIGEST, "digest", INT8OID, -1, 0);
	return desc;
}

static Tuplesortstate *
begin_sort(TupleDesc desc)
{
	AttrNumber	columns[SORT_COLUMNS] = {ROW_LEAF, ROW_KEY};
	Oid			operators[SORT_COLUMNS] = {
		lookup_type_cache(INT4OID, TYPECACHE_LT_OPR)->lt_opr,
		lookup_type_cache(BYTEAOID, TYPECACHE_LT_OPR)->lt_opr
	};
	Oid			collations[SORT_COLUMNS] = {InvalidOid, InvalidOid};
	bool		nulls_first[SORT_COLUMNS] = {false, false};

	return tuplesort_begin_heap(desc, SORT_COLUMNS, columns, operators, collations, nulls_first,
								maintenance_work_mem, NULL, TUPLESORT_NONE);
}

static void
put_row(TgLeafRows *rows, TupleTableSlot *slot, TgRowScan *scan, uint32 leaf, TgScanKind kind)
{
	uint64		digest = kind == TG_SCAN_CONTENTS ? tg_row_scan_digest(scan, kind) : 0;
	bytea	   *key = cstring_to_text_with_len(scan->key.data, scan->key.len);

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, ROW_COLUMNS * sizeof(bool));
	slot->tts_values[ROW_LEAF - 1] = Int32GetDatum((int32) leaf);
	slot->tts_values[ROW_KEY - 1] = PointerGetDatum(key);
	slot->tts_values[ROW_STAMP - 1] = Int64GetDatum((int64) tg_row_scan_stamp(scan));
	slot->tts_values[ROW_DIGEST - 1] = Int64GetDatum((int64) digest);
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(rows->sort, slot);
	pfree(key);
}

static void
put_rows_of(TgLeafRows *rows, Relation rel, Snapshot snapshot, TgScanKind kind,
			const TgLeafSet *leaves)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsVirtual);
	TgRowScan	scan;

	tg_row_scan_begin(&scan, rel, table_beginscan(rel, snapshot, 0, NULL));
	while (tg_row_scan_next(&scan))
	{
		uint32		leaf = tg_leaf_of_key(tg_bytes_of_buf(&scan.key));

		if (tg_leaf_set_has(leaves, leaf))
			put_row(rows, slot, &scan, leaf, kind);
	}
	tg_row_scan_end(&scan);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Read the rows of the chosen leaves, as the snapshot sees them; of a
 * partitioned table, those of all its partitions.  The caller holds the table
 * locked, and the snapshot registered.  What is returned lives in the current
 * memory context.
 */
TgLeafRows *
tg_leaf_rows_open(Relation rel, Snapshot snapshot, TgScanKind kind, const TgLeafSet *leaves)
{
	TgLeafRows *rows = palloc(sizeof(TgLeafRows));
	ListCell   *cell;

	rows->desc = describe_row();
	rows->slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	rows->sort = begin_sort(rows->desc);
	foreach(cell, tg_scan_leaves(RelationGetRelid(rel)))
	{
		Relation	part = table_open(lfirst_oid(cell), NoLock);

		put_rows_of(rows, part, snapshot, kind, leaves);
		table_close(part, NoLock);
	}
	tuplesort_performsort(rows->sort);
	return rows;
}

/*
 * The next row, or false if there is none.
 */
bool
tg_leaf_rows_next(TgLeafRows *rows, TgLeafRow *row)
{
	TupleTableSlot *slot = rows->slot;

	CHECK_FOR_INTERRUPTS();
	if (!tuplesort_gettupleslot(rows->sort, true, false, slot, NULL))
		return false;

	slot_getallattrs(slot);
	row->leaf = (uint32) DatumGetInt32(slot->tts_values[ROW_LEAF - 1]);
	row->key = tg_bytes_of_varlena(DatumGetPointer(slot->tts_values[ROW_KEY - 1]));
	row->stamp = (TgStamp) DatumGetInt64(slot->tts_values[ROW_STAMP - 1]);
	row->digest = (uint64) DatumGetInt64(slot->tts_values[ROW_DIGEST - 1]);
	return true;
}

/*
 * End of reading.
 */
void
tg_leaf_rows_close(TgLeafRows *rows)
{
	ExecDropSingleTupleTableSlot(rows->slot);
	tuplesort_end(rows->sort);
	FreeTupleDesc(rows->desc);
	pfree(rows);
}
