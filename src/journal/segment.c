/*-------------------------------------------------------------------------
 *
 * src/journal/segment.c
 *	  The journal's segments: which is written, which are gone.
 *
 * A transaction writes all its journal rows into one segment and holds its
 * lock until it ends, so a segment that can be locked exclusively is at rest.
 * The janitor never queues for that lock.
 *
 *	writer:	read the current segment, lock it, read again; retry if changed
 *	reader:	lock all segments, then check its cursor against the cut
 *	janitor: lock a segment exclusively, empty it and publish the cut, commit
 *
 * The reader either came first, and the janitor gives up, or sees the cut.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/catalog.h"
#include "base/database.h"
#include "base/guc.h"
#include "catalog/indexing.h"
#include "commands/tablecmds.h"
#include "executor/spi.h"
#include "journal/segment.h"
#include "port/atomics.h"
#include "row/stamp.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define NOT_READ		PG_UINT32_MAX

typedef struct SegmentShared
{
	/* both of a database: as in topgun.journal_state; lock free */
	pg_atomic_uint32 current[TG_MAX_DATABASES];
	pg_atomic_uint64 cut[TG_MAX_DATABASES];
} SegmentShared;

static SegmentShared *shared = NULL;

/*
 * Read topgun.journal_state after a server start.
 */
static void
load_state(int slot)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL_STATE), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tuple = heap_getnext(scan, ForwardScanDirection);
	uint32		unread = NOT_READ;
	uint64		unknown_cut = 0;
	bool		isnull;
	Datum		value;

	if (tuple == NULL)
		elog(ERROR, "topgun.journal_state is empty");

	value = heap_getattr(tuple, 2, RelationGetDescr(rel), &isnull);
	if (!isnull)
		pg_atomic_compare_exchange_u64(&shared->cut[slot], &unknown_cut, DatumGetTgStamp(value));
	value = heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull);
	pg_atomic_compare_exchange_u32(&shared->current[slot], &unread, DatumGetInt32(value));

	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
}

static int
current_segment(void)
{
	int			slot = tg_database_slot();
	uint32		current = pg_atomic_read_u32(&shared->current[slot]);

	if (current == NOT_READ)
	{
		load_state(slot);
		current = pg_atomic_read_u32(&shared->current[slot]);
	}
	return current % TG_JOURNAL_SEGMENTS;
}

/*
 * Lock the current segment and its parts with ROW EXCLUSIVE for the rest of
 * the (sub)transaction; return its number.
 */
int
tg_segment_lock_current(void)
{
	for (;;)
	{
		int			segment = current_segment();
		Oid			relid = tg_catalog_oid(TG_CAT_JOURNAL + segment);

		LockRelationOid(relid, RowExclusiveLock);
		if (current_segment() == segment)
			return segment;
		UnlockRelationOid(relid, RowExclusiveLock);
	}
}

/*
 * Positions up to the result are no longer in the journal.  Have the segments
 * locked before asking.
 */
TgPosition
tg_segment_cut(void)
{
	(void) current_segment();	/* so that the state has been read */
	return pg_atomic_read_u64(&shared->cut[tg_database_slot()]);
}

static int64
relation_bytes(TgCatalog which)
{
	Relation	rel = table_open(tg_catalog_oid(which), AccessShareLock);
	int64		bytes = (int64) RelationGetNumberOfBlocks(rel) * BLCKSZ;

	table_close(rel, AccessShareLock);
	return bytes;
}

static int64
segment_bytes(int segment)
{
	return relation_bytes(TG_CAT_JOURNAL + segment) +
		relation_bytes(TG_CAT_JOURNAL_PART + segment);
}

/*
 * The size of the journal's tables, without indexes.
 */
int64
tg_journal_bytes(void)
{
	int64		bytes = 0;

	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
		bytes += segment_bytes(i);
	return bytes;
}

static void
save_state(int current, TgPosition cut)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL_STATE), RowExclusiveLock);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	HeapTuple	old = heap_getnext(scan, ForwardScanDirection);
	Datum		values[2] = {Int32GetDatum(current), TgStampGetDatum(cut)};
	bool		nulls[2] = {false, cut == 0};
	HeapTuple	tuple;

	if (old == NULL)
		elog(ERROR, "topgun.journal_state is empty");
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleUpdate(rel, &old->t_self, tuple);
	table_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

/*
 * The greatest position in a segment, 0 if it is empty.
 */
static TgPosition
greatest_position(int segment)
{
	char	   *query = psprintf("SELECT position FROM topgun.journal_%d ORDER BY 1 DESC LIMIT 1",
								 segment);
	TgPosition	position = 0;

	/* not read only: with a snapshot that is newer than the lock */
	if (SPI_execute(query, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read journal segment %d", segment);
	if (SPI_processed > 0)
	{
		bool		isnull;

		position = DatumGetTgStamp(SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 1, &isnull));
	}
	return position;
}

/*
 * Empty a segment if all have read it and nobody uses it.
 */
static bool
try_empty(int segment, TgPosition read_by_all)
{
	Oid			relid = tg_catalog_oid(TG_CAT_JOURNAL + segment);
	Oid			part_relid = tg_catalog_oid(TG_CAT_JOURNAL_PART + segment);
	TgPosition	last;
	char	   *query;

	if (!ConditionalLockRelationOid(relid, AccessExclusiveLock) ||
		!ConditionalLockRelationOid(part_relid, AccessExclusiveLock))
		return false;

	last = greatest_position(segment);
	if (last > read_by_all)
		return false;

	query = psprintf("TRUNCATE topgun.journal_%d, topgun.journal_%d_part", segment, segment);
	if (SPI_execute(query, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not empty journal segment %d", segment);

	/* nobody reads the segment before we commit, so nobody acts on this */
	last = Max(last, tg_segment_cut());
	save_state(current_segment(), last);
	pg_atomic_write_u64(&shared->cut[tg_database_slot()], last);
	return true;
}

/*
 * One step of the rotation, in a transaction of its own: empty the segment
 * after the current one, or, if it is empty and the current one is full, make
 * it the current one.  read_by_all is the position that every peer has read
 * durably.  Returns true if something was done.
 */
bool
tg_segment_rotate(TgPosition read_by_all)
{
	int			current = current_segment();
	int			next = (current + 1) % TG_JOURNAL_SEGMENTS;
	bool		done = false;

	if (segment_bytes(next) > 0)
	{
		SPI_connect();
		done = try_empty(next, read_by_all);
		SPI_finish();
		return done;
	}
	if (segment_bytes(current) < (int64) tg_journal_segment_size_kb * 1024)
		return false;

	/* writers that still hold the old one may finish there */
	save_state(next, tg_segment_cut());
	pg_atomic_write_u32(&shared->current[tg_database_slot()], next);
	return true;
}

/*
 * The journal of this database has begun anew.
 */
void
tg_segment_forget(void)
{
	int			slot = tg_database_slot();

	pg_atomic_write_u32(&shared->current[slot], NOT_READ);
	pg_atomic_write_u64(&shared->cut[slot], 0);
}

Size
tg_segment_shmem_size(void)
{
	return sizeof(SegmentShared);
}

void
tg_segment_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
	{
		pg_atomic_init_u32(&shared->current[i], NOT_READ);
		pg_atomic_init_u64(&shared->cut[i], 0);
	}
}
