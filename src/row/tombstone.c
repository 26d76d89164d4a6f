/*-------------------------------------------------------------------------
 *
 * src/row/tombstone.c
 *	  Stamps of deleted keys: topgun.tombstone.
 *
 * The index has the hash of the key by its own operator class, so that equal
 * keys with different bytes (numeric 1.0 and 1.00) have one tombstone.
 *
 * A key has one tombstone, the greatest.  Two transactions that merge the
 * deletion of an absent key at the same time may leave two: nothing is locked
 * for that, a look-up takes the greatest.
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
#define WALK_STEPS		4		/* before looking a hash up in the index */
#define WORTH_HITS		8		/* such a look-up pays if so many hashes need
								 * none of their own after it */
#define MIN_PATIENCE	4		/* hashes that are looked up before any scan */
#define MAX_PATIENCE	4096	/* hashes that are looked up one by one where
								 * it does not pay */

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

	/* the tombstones that were there before, in the order of the index */
	Snapshot	snapshot;
	IndexScanDesc scan;
	TupleTableSlot *old;
	TgTableId	table;			/* of the scan; 0: not begun */
	int32		begin;			/* the scan has been at hashes from here ... */
	int32		next;			/* ... to here, which is in "old" */
	bool		at_end;			/* there is none */
	int			hits;			/* hashes since it was begun anew */
	int			patience;		/* how many go without it if these were few */
	int			nsingle;		/* how many of them are left */
	IndexScanDesc single;		/* of one hash */
	TupleTableSlot *single_old;

	/* those that are not yet written */
	TupleDesc	desc;			/* a copy, so that slots need not pin it */
	TupleTableSlot *slots[BATCH_TUPLES];
	int			nslots;
	Size		bytes;
	MemoryContext context;		/* of their tuples; reset with each batch */
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
	writer->snapshot = RegisterSnapshot(GetLatestSnapshot());
	writer->scan = tg_index_beginscan(writer->rel, writer->index, writer->snapshot, 2);
	writer->old = table_slot_create(writer->rel, NULL);
	writer->single = tg_index_beginscan(writer->rel, writer->index, writer->snapshot, 2);
	writer->single_old = table_slot_create(writer->rel, NULL);
	writer->nsingle = writer->patience = MIN_PATIENCE;
	writer->context = AllocSetContextCreate(CurrentMemoryContext, "topgun tombstones",
											ALLOCSET_DEFAULT_SIZES);
	return writer;
}

static void
advance_scan(TgTombstoneWriter *writer)
{
	bool		isnull;

	writer->at_end = !index_getnext_slot(writer->scan, ForwardScanDirection, writer->old);
	if (!writer->at_end)
		writer->next = DatumGetInt32(slot_getattr(writer->old, TG_TOMBSTONE_HASH, &isnull));
}

static void
restart_scan(TgTombstoneWriter *writer, TgTableId table, int32 hash)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT4GE, Int32GetDatum(hash));
	index_rescan(writer->scan, keys, 2, NULL, 0);
	writer->table = table;
	writer->begin = hash;
	advance_scan(writer);

	/* such a scan reads a page of the index to its end */
	writer->patience = writer->hits >= WORTH_HITS ? 0 : Min(writer->patience * 2 + MIN_PATIENCE, MAX_PATIENCE);
	writer->nsingle = writer->patience;
	writer->hits = 0;
}

/*
 * Has the scan to be moved to get at this hash?
 */
static bool
is_elsewhere(TgTombstoneWriter *writer, TgTableId table, int32 hash)
{
	return writer->table != table || hash < writer->begin ||
		(!writer->at_end && writer->next < hash);
}

/*
 * Bring the scan to the first tombstone with this hash, or one that would come
 * after it.  A hash or two further on, it is walked there.
 */
static void
move_scan(TgTombstoneWriter *writer, TgTableId table, int32 hash)
{
	int			steps = 0;

	writer->hits++;
	if (writer->table != table || hash < writer->begin)
		restart_scan(writer, table, hash);
	while (!writer->at_end && writer->next < hash)
	{
		if (++steps > WALK_STEPS)
			restart_scan(writer, table, hash);
		else
			advance_scan(writer);
	}
}

/*
 * Remove a tombstone that is one of the key's, and older.  One that somebody
 * else is removing now is left to him.  False if it is the key's, but not
 * older.
 */
static bool
remove_if_older(TgTombstoneWriter *writer, TupleTableSlot *old, TgTable *table, TgBytes key,
				TgStamp than)
{
	bool		isnull;
	Datum		bytes = slot_getattr(old, TG_TOMBSTONE_KEY, &isnull);
	TgStamp		stamp = DatumGetTgStamp(slot_getattr(old, TG_TOMBSTONE_STAMP, &isnull));
	TM_FailureData failure;

	if (!tg_key_equal(table->key, tg_bytes_of_varlena(DatumGetByteaPP(bytes)), key))
		return true;
	if (stamp >= than)
		return false;
	(void) heap_delete(writer->rel, &old->tts_tid, GetCurrentCommandId(true),
					   InvalidSnapshot, false, &failure, false);
	return true;
}

/*
 * Look one hash up.
 */
static bool
remove_older_single(TgTombstoneWriter *writer, TgTable *table, TgBytes key, int32 hash, TgStamp than)
{
	ScanKeyData keys[2];
	bool		is_newest = true;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table->id));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(hash));
	index_rescan(writer->single, keys, 2, NULL, 0);
	while (index_getnext_slot(writer->single, ForwardScanDirection, writer->single_old))
		is_newest &= remove_if_older(writer, writer->single_old, table, key, than);
	return is_newest;
}

/*
 * Remove the older tombstones of the key.  False if there is one that is not
 * older.
 */
static bool
remove_older(TgTombstoneWriter *writer, TgTable *table, TgBytes key, int32 hash, TgStamp than)
{
	bool		is_newest = true;

	if (writer->nsingle > 0 && is_elsewhere(writer, table->id, hash))
	{
		writer->nsingle--;
		return remove_older_single(writer, table, key, hash, than);
	}
	move_scan(writer, table->id, hash);
	for (; !writer->at_end && writer->next == hash; advance_scan(writer))
		is_newest &= remove_if_older(writer, writer->old, table, key, than);
	/* the next key may have the same hash: then look again */
	writer->begin = hash == PG_INT32_MAX ? hash : hash + 1;
	if (hash == PG_INT32_MAX)
		writer->table = 0;
	return is_newest;
}

/*
 * The one index is filled directly: what the catalog functions do for each row
 * costs as much as the insertion.
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
		(void) index_insert(writer->index, values, nulls, &slot->tts_tid, writer->rel,
							UNIQUE_CHECK_NO, false, writer->index_info);
		ExecClearTuple(slot);
	}
	writer->nslots = 0;
	writer->bytes = 0;
	MemoryContextReset(writer->context);
}

static void
add_to_batch(TgTombstoneWriter *writer, TgTableId table, TgBytes key, int32 hash, TgStamp stamp)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	Datum		values[TG_TOMBSTONE_COLUMNS];
	bool		nulls[TG_TOMBSTONE_COLUMNS] = {0};
	HeapTuple	tuple;

	values[TG_TOMBSTONE_STAMP - 1] = TgStampGetDatum(stamp);
	values[TG_TOMBSTONE_TABLE - 1] = Int32GetDatum(table);
	values[TG_TOMBSTONE_HASH - 1] = Int32GetDatum(hash);
	values[TG_TOMBSTONE_KEY - 1] = PointerGetDatum(cstring_to_text_with_len(key.data, key.len));
	tuple = heap_form_tuple(writer->desc, values, nulls);
	tuple->t_tableOid = RelationGetRelid(writer->rel);
	MemoryContextSwitchTo(old);

	if (writer->slots[writer->nslots] == NULL)
		writer->slots[writer->nslots] = MakeSingleTupleTableSlot(writer->desc, &TTSOpsHeapTuple);
	ExecStoreHeapTuple(tuple, writer->slots[writer->nslots++], false);
	writer->bytes += tuple->t_len;
}

/*
 * Write the tombstone of a key, in place of older ones; if there is one as
 * new or newer, it stays and nothing is written.  One key at most once by one
 * writer: it does not see what it has written itself.
 */
void
tg_tombstones_write(TgTombstoneWriter *writer, TgTable *table, TgBytes key, uint32 hash,
					TgStamp stamp)
{
	Assert(hash == tg_key_hash(table->key, key));

	raise_greatest(stamp);
	if (!remove_older(writer, table, key, (int32) hash, stamp))
		return;
	add_to_batch(writer, table->id, key, (int32) hash, stamp);
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
	ExecDropSingleTupleTableSlot(writer->old);
	ExecDropSingleTupleTableSlot(writer->single_old);
	index_endscan(writer->scan);
	index_endscan(writer->single);
	index_close(writer->index, RowExclusiveLock);
	UnregisterSnapshot(writer->snapshot);
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
