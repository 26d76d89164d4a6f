/*-------------------------------------------------------------------------
 *
 * src/row/tombstone.c
 *	  Stamps of deleted keys: topgun.tombstone.
 *
 * The index has the hash of the key by its own operator class, so that equal
 * keys with different bytes (numeric 1.0 and 1.00) have one tombstone.
 *
 * A key has one tombstone, the greatest.  Transactions that delete an absent
 * key at the same time may leave two, and so does one that comes late with an
 * older one: nothing is locked for that, a look-up takes the greatest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/compat.h"
#include "base/database.h"
#include "catalog/index.h"
#include "port/atomics.h"
#include "row/stamp.h"
#include "row/tombstone.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define BATCH_TUPLES	500		/* written together */
#define BATCH_BYTES		65536

typedef struct TombstoneShared
{
	/* all of a database, lock free */
	pg_atomic_uint64 greatest[TG_MAX_DATABASES];	/* ever written, or more */
	pg_atomic_uint32 is_known[TG_MAX_DATABASES];	/* greatest counts those
													 * of earlier runs, too */
} TombstoneShared;

static TombstoneShared *shared = NULL;

static void
raise_greatest(TgStamp stamp)
{
	pg_atomic_uint64 *greatest = &shared->greatest[tg_database_slot()];
	uint64		old = pg_atomic_read_u64(greatest);

	while (old < stamp && !pg_atomic_compare_exchange_u64(greatest, &old, stamp))
		;
	pg_memory_barrier();
}

/*
 * Can there be a tombstone newer than this, or equal?  A cheap question that
 * spares most writes the look-up.
 */
bool
tg_tombstone_may_exceed(TgStamp stamp)
{
	int			slot = tg_database_slot();

	pg_memory_barrier();
	return pg_atomic_read_u32(&shared->is_known[slot]) == 0 ||
		pg_atomic_read_u64(&shared->greatest[slot]) >= stamp;
}

/*
 * Make tg_tombstone_may_exceed() exact after a server start: look at all that
 * are there.  Those written meanwhile announce themselves.
 */
void
tg_tombstone_learn(void)
{
	int			slot = tg_database_slot();
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	TgStamp		greatest = TG_NO_STAMP;

	if (pg_atomic_read_u32(&shared->is_known[slot]) != 0)
		return;

	rel = table_open(tg_catalog_oid(TG_CAT_TOMBSTONE), AccessShareLock);
	scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		TgStamp		stamp = DatumGetTgStamp(heap_getattr(tuple, TG_TOMBSTONE_STAMP,
														 RelationGetDescr(rel), &isnull));

		greatest = Max(greatest, stamp);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);

	raise_greatest(greatest);
	pg_atomic_write_u32(&shared->is_known[slot], 1);
}

static SysScanDesc
begin_scan(Relation rel, TgTable *table, uint32 hash, Snapshot snapshot)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], TG_TOMBSTONE_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table->id));
	ScanKeyInit(&keys[1], TG_TOMBSTONE_HASH, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum((int32) hash));
	return systable_beginscan(rel, tg_catalog_oid(TG_CAT_TOMBSTONE_KEY), true, snapshot, 2, keys);
}

/*
 * Has the table any tombstone?
 */
bool
tg_tombstone_any(TgTable *table, Snapshot snapshot)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TOMBSTONE), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, TG_TOMBSTONE_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table->id));
	scan = systable_beginscan(rel, tg_catalog_oid(TG_CAT_TOMBSTONE_KEY), true, snapshot, 1, &key);
	found = systable_getnext(scan) != NULL;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
is_of_key(Relation rel, HeapTuple tuple, TgTable *table, TgBytes key, TgStamp *stamp)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	bytea	   *bytes = DatumGetByteaPP(heap_getattr(tuple, TG_TOMBSTONE_KEY, desc, &isnull));

	*stamp = DatumGetTgStamp(heap_getattr(tuple, TG_TOMBSTONE_STAMP, desc, &isnull));
	return tg_key_equal(table->key,
						tg_bytes_of_varlena(bytes), key);
}

/*
 * The stamp of the key's tombstone, TG_NO_STAMP if it has none.
 */
TgStamp
tg_tombstone_find(TgTable *table, TgBytes key, Snapshot snapshot)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TOMBSTONE), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, table, tg_key_hash(table->key, key), snapshot);
	TgStamp		greatest = TG_NO_STAMP;
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		TgStamp		stamp;

		if (is_of_key(rel, tuple, table, key, &stamp))
			greatest = Max(greatest, stamp);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return greatest;
}

/*
 * Writes tombstones, many of them fast if they come in the order of table and
 * hash, as the index has them.
 */
struct TgTombstoneWriter
{
	Relation	rel;
	Relation	index;
	IndexInfo  *index_info;
	TupleDesc	desc;			/* a copy, so that slots need not pin it */

	/* those that are not yet written */
	TupleTableSlot *slots[BATCH_TUPLES];
	TgTable    *tables[BATCH_TUPLES];	/* whose they are */
	int			nslots;
	Size		bytes;
	MemoryContext context;		/* of their tuples; reset with each batch */

	Snapshot	snapshot;		/* has those that were there before; NULL: not
								 * asked for yet */
};

/*
 * Begin to write tombstones in this command.  Ended by tg_tombstones_end().
 */
TgTombstoneWriter *
tg_tombstones_begin(void)
{
	TgTombstoneWriter *writer = palloc0(sizeof(TgTombstoneWriter));

	writer->rel = table_open(tg_catalog_oid(TG_CAT_TOMBSTONE), RowExclusiveLock);
	writer->index = index_open(tg_catalog_oid(TG_CAT_TOMBSTONE_KEY), RowExclusiveLock);
	writer->index_info = BuildIndexInfo(writer->index);
	writer->desc = CreateTupleDescCopy(RelationGetDescr(writer->rel));
	writer->context = AllocSetContextCreate(CurrentMemoryContext, "topgun tombstones",
											ALLOCSET_DEFAULT_SIZES);
	return writer;
}

/*
 * Remove the older tombstones of the key that was written in the slot.  What
 * this command has written is not seen; one that somebody else is removing now
 * is left to him.
 */
static void
remove_older(TgTombstoneWriter *writer, TgTable *table, TupleTableSlot *slot)
{
	bool		isnull;
	TgStamp		stamp = DatumGetTgStamp(slot_getattr(slot, TG_TOMBSTONE_STAMP, &isnull));
	int32		hash = DatumGetInt32(slot_getattr(slot, TG_TOMBSTONE_HASH, &isnull));
	bytea	   *key = DatumGetByteaPP(slot_getattr(slot, TG_TOMBSTONE_KEY, &isnull));
	SysScanDesc scan;
	HeapTuple	tuple;

	if (writer->snapshot == NULL)
		writer->snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = begin_scan(writer->rel, table, (uint32) hash, writer->snapshot);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		TM_FailureData failure;
		TgStamp		old_stamp;

		if (is_of_key(writer->rel, tuple, table, tg_bytes_of_varlena(key), &old_stamp) && old_stamp < stamp)
			(void) heap_delete(writer->rel, &tuple->t_self, GetCurrentCommandId(true),
							   InvalidSnapshot, false, &failure, false);
	}
	systable_endscan(scan);
}

/*
 * The one index is filled directly: what the catalog functions do for each row
 * costs as much as the insertion.  It is not unique, but asked as if it were,
 * it tells on the same way down whether the key may have a tombstone already.
 */
static void
write_batch(TgTombstoneWriter *writer)
{
	heap_multi_insert(writer->rel, writer->slots, writer->nslots, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < writer->nslots; i++)
	{
		TupleTableSlot *slot = writer->slots[i];
		Datum		values[2];
		bool		nulls[2];

		values[0] = slot_getattr(slot, TG_TOMBSTONE_TABLE, &nulls[0]);
		values[1] = slot_getattr(slot, TG_TOMBSTONE_HASH, &nulls[1]);
		if (!index_insert(writer->index, values, nulls, &slot->tts_tid, writer->rel,
						  UNIQUE_CHECK_PARTIAL, false, writer->index_info))
			remove_older(writer, writer->tables[i], slot);
		ExecClearTuple(slot);
	}
	writer->nslots = 0;
	writer->bytes = 0;
	MemoryContextReset(writer->context);
}

static void
add_to_batch(TgTombstoneWriter *writer, TgTable *table, TgBytes key, int32 hash, TgStamp stamp)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	Datum		values[TG_TOMBSTONE_COLUMNS];
	bool		nulls[TG_TOMBSTONE_COLUMNS] = {0};
	HeapTuple	tuple;

	values[TG_TOMBSTONE_STAMP - 1] = TgStampGetDatum(stamp);
	values[TG_TOMBSTONE_TABLE - 1] = Int32GetDatum(table->id);
	values[TG_TOMBSTONE_HASH - 1] = Int32GetDatum(hash);
	values[TG_TOMBSTONE_KEY - 1] = PointerGetDatum(cstring_to_text_with_len(key.data, key.len));
	tuple = heap_form_tuple(writer->desc, values, nulls);
	tuple->t_tableOid = RelationGetRelid(writer->rel);
	MemoryContextSwitchTo(old);

	if (writer->slots[writer->nslots] == NULL)
		writer->slots[writer->nslots] = MakeSingleTupleTableSlot(writer->desc, &TTSOpsHeapTuple);
	ExecStoreHeapTuple(tuple, writer->slots[writer->nslots], false);
	writer->tables[writer->nslots++] = table;
	writer->bytes += tuple->t_len;
}

/*
 * Write the tombstone of a key, in place of older ones.  One key at most once
 * by one writer: it does not see what it has written itself.  The table must
 * stay open until tg_tombstones_end().
 */
void
tg_tombstones_write(TgTombstoneWriter *writer, TgTable *table, TgBytes key, uint32 hash,
					TgStamp stamp)
{
	Assert(hash == tg_key_hash(table->key, key));

	raise_greatest(stamp);
	add_to_batch(writer, table, key, (int32) hash, stamp);
	if (writer->nslots == BATCH_TUPLES || writer->bytes > BATCH_BYTES)
		write_batch(writer);
}

/*
 * All tombstones are written.
 */
void
tg_tombstones_end(TgTombstoneWriter *writer)
{
	if (writer->nslots > 0)
		write_batch(writer);
	for (int i = 0; i < BATCH_TUPLES && writer->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(writer->slots[i]);
	if (writer->snapshot != NULL)
		UnregisterSnapshot(writer->snapshot);
	index_close(writer->index, RowExclusiveLock);
	table_close(writer->rel, RowExclusiveLock);
	MemoryContextDelete(writer->context);
	pfree(writer);
}

Size
tg_tombstone_shmem_size(void)
{
	return sizeof(TombstoneShared);
}

void
tg_tombstone_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
	{
		pg_atomic_init_u64(&shared->greatest[i], TG_NO_STAMP);
		pg_atomic_init_u32(&shared->is_known[i], 0);
	}
}
