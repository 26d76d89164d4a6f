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
#include "access/xact.h"
#include "base/catalog.h"
#include "base/database.h"
#include "catalog/indexing.h"
#include "port/atomics.h"
#include "row/stamp.h"
#include "row/tombstone.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	COLUMN_STAMP = 1, COLUMN_TABLE, COLUMN_HASH, COLUMN_KEY, COLUMNS = COLUMN_KEY
};

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
		TgStamp		stamp = DatumGetTgStamp(heap_getattr(tuple, COLUMN_STAMP,
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

	ScanKeyInit(&keys[0], COLUMN_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table->id));
	ScanKeyInit(&keys[1], COLUMN_HASH, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum((int32) hash));
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

	ScanKeyInit(&key, COLUMN_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table->id));
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
	bytea	   *bytes = DatumGetByteaPP(heap_getattr(tuple, COLUMN_KEY, desc, &isnull));

	*stamp = DatumGetTgStamp(heap_getattr(tuple, COLUMN_STAMP, desc, &isnull));
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
 * Remove the older tombstones of the key.  One that somebody else is removing
 * now is left to him.
 */
static bool
remove_older(Relation rel, TgTable *table, TgBytes key, uint32 hash, TgStamp than)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = begin_scan(rel, table, hash, snapshot);
	HeapTuple	tuple;
	bool		is_newest = true;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		TM_FailureData failure;
		TgStamp		stamp;

		if (!is_of_key(rel, tuple, table, key, &stamp))
			continue;
		if (stamp >= than)
			is_newest = false;
		else
			(void) heap_delete(rel, &tuple->t_self, GetCurrentCommandId(true),
							   InvalidSnapshot, false, &failure, false);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return is_newest;
}

/*
 * Write the tombstone of a key, in place of older ones; if there is one as
 * new or newer, it stays and nothing is written.
 */
void
tg_tombstone_write(TgTable *table, TgBytes key, TgStamp stamp)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TOMBSTONE), RowExclusiveLock);
	uint32		hash = tg_key_hash(table->key, key);

	raise_greatest(stamp);
	if (remove_older(rel, table, key, hash, stamp))
	{
		bytea	   *bytes = cstring_to_text_with_len(key.data, key.len);
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS] = {0};

		values[COLUMN_STAMP - 1] = TgStampGetDatum(stamp);
		values[COLUMN_TABLE - 1] = Int32GetDatum(table->id);
		values[COLUMN_HASH - 1] = Int32GetDatum((int32) hash);
		values[COLUMN_KEY - 1] = PointerGetDatum(bytes);
		tg_catalog_insert(rel, values, nulls);
		pfree(bytes);
	}
	table_close(rel, RowExclusiveLock);
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
