/*-------------------------------------------------------------------------
 *
 * src/row/gc_floor.c
 *	  The greatest stamp of a tombstone that was collected here.
 *
 * Whoever has looked for a tombstone and found none reads the floor after
 * that: it is raised, for all to see, before the deletion of the tombstone is
 * visible to anybody.  If that deletion is rolled back, the floor stays where
 * it is until the server stops; it is not higher than what was settled.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/catalog.h"
#include "base/database.h"
#include "catalog/indexing.h"
#include "port/atomics.h"
#include "row/gc_floor.h"
#include "row/stamp.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define NOT_READ		PG_UINT64_MAX

typedef struct FloorShared
{
	pg_atomic_uint64 floor[TG_MAX_DATABASES];	/* lock free */
} FloorShared;

static FloorShared *shared = NULL;

/*
 * The only row of topgun.gc_state, and the floor in it.
 */
static HeapTuple
read_row(Relation rel, TgStamp *floor)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tuple = heap_getnext(scan, ForwardScanDirection);
	bool		isnull;
	Datum		value;

	if (tuple == NULL)
		elog(ERROR, "topgun.gc_state is empty");
	tuple = heap_copytuple(tuple);
	value = heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull);
	*floor = isnull ? TG_NO_STAMP : DatumGetTgStamp(value);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	return tuple;
}

static void
load(pg_atomic_uint64 *floor)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_GC_STATE), AccessShareLock);
	uint64		not_read = NOT_READ;
	TgStamp		stored;

	heap_freetuple(read_row(rel, &stored));
	table_close(rel, AccessShareLock);
	(void) pg_atomic_compare_exchange_u64(floor, &not_read, stored);
}

/*
 * The floor; TG_NO_STAMP if nothing was collected yet.  Needs a transaction at
 * the first call after a server start.
 */
TgStamp
tg_gc_floor(void)
{
	pg_atomic_uint64 *floor = &shared->floor[tg_database_slot()];
	uint64		stamp;

	pg_memory_barrier();
	stamp = pg_atomic_read_u64(floor);
	if (likely(stamp != NOT_READ))
		return stamp;
	load(floor);
	return pg_atomic_read_u64(floor);
}

static void
store(TgStamp stamp)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_GC_STATE), ShareRowExclusiveLock);
	TgStamp		stored;
	HeapTuple	old = read_row(rel, &stored);
	Datum		values[1] = {TgStampGetDatum(stamp)};
	bool		nulls[1] = {false};

	if (stored < stamp)
		CatalogTupleUpdate(rel, &old->t_self,
						   heap_form_tuple(RelationGetDescr(rel), values, nulls));
	table_close(rel, NoLock);
}

/*
 * Tombstones up to the stamp are being removed in this transaction.  Call it
 * before the transaction ends; what it stores is durable with it.
 */
void
tg_gc_floor_raise(TgStamp stamp)
{
	pg_atomic_uint64 *floor = &shared->floor[tg_database_slot()];
	uint64		old = tg_gc_floor();

	while (old < stamp && !pg_atomic_compare_exchange_u64(floor, &old, stamp))
		;
	store(stamp);
}

/*
 * This database has begun anew.
 */
void
tg_gc_floor_forget(void)
{
	pg_atomic_write_u64(&shared->floor[tg_database_slot()], NOT_READ);
}

Size
tg_gc_floor_shmem_size(void)
{
	return sizeof(FloorShared);
}

void
tg_gc_floor_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u64(&shared->floor[i], NOT_READ);
}
