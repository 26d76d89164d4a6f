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
 *	janitor: lock a segment exclusively, empty it, commit, publish the cut,
 *			release the lock
 *
 * The reader either came first, and the janitor gives up, or sees the cut.  It
 * is published by the commit itself, while the lock is held: were it earlier,
 * a rollback would leave readers refused what is there.
 *
 * Readers that are behind find their journal in full segments; there are few,
 * so that they must be large then.  While all that is full can be emptied at
 * once, small ones will do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/database.h"
#include "base/failpoint.h"
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
 * The state that this transaction stores, for all to see when it commits.
 */
static struct
{
	bool		is_set;
	int			slot;
	int			current;
	TgPosition	cut;
}			stored;

static void
publish(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && stored.is_set)
	{
		pg_atomic_write_u64(&shared->cut[stored.slot], stored.cut);
		pg_atomic_write_u32(&shared->current[stored.slot], stored.current);
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		stored.is_set = false;
}

static void
store_state(int current, TgPosition cut)
{
	static bool is_registered = false;

	if (!is_registered)
		RegisterXactCallback(publish, NULL);
	is_registered = true;

	save_state(current, cut);
	stored.slot = tg_database_slot();
	stored.current = current;
	stored.cut = cut;
	stored.is_set = true;
}

/*
 * The greatest or the least position in a segment, 0 if it is empty.
 */
static TgPosition
end_position(int segment, const char *order)
{
	char	   *query = psprintf("SELECT position FROM topgun.journal_%d ORDER BY 1 %s LIMIT 1",
								 segment, order);
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
 * May a segment go whose greatest position is this?  Those that have not read
 * it count for nothing if it is the oldest, and the journal is too large or
 * this part of it too old.
 */
static bool
may_go(const TgCutRule *rule, TgPosition last, bool is_oldest)
{
	if (last > rule->folded)
		return false;
	if (last <= rule->read_by_all)
		return true;
	return is_oldest && (last <= rule->expired || tg_journal_bytes() > rule->max_bytes);
}

/*
 * Empty a segment if the rule allows it and nobody uses it.
 */
static bool
try_empty(int segment, const TgCutRule *rule, bool is_oldest, TgPosition *cut)
{
	Oid			relid = tg_catalog_oid(TG_CAT_JOURNAL + segment);
	Oid			part_relid = tg_catalog_oid(TG_CAT_JOURNAL_PART + segment);
	TgPosition	last = end_position(segment, "DESC");
	char	   *query;

	if (!may_go(rule, last, is_oldest) ||
		!ConditionalLockRelationOid(relid, AccessExclusiveLock) ||
		!ConditionalLockRelationOid(part_relid, AccessExclusiveLock) ||
		end_position(segment, "DESC") != last)
		return false;

	query = psprintf("TRUNCATE topgun.journal_%d, topgun.journal_%d_part", segment, segment);
	if (SPI_execute(query, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not empty journal segment %d", segment);
	*cut = Max(last, tg_segment_cut());
	store_state(current_segment(), *cut);
	TG_FAILPOINT("cut-before-commit");
	return true;
}

/*
 * Is it time to go on in the next segment?  If older ones are kept for somebody,
 * a segment is full at its share of all that may be kept, so that a cut by size
 * takes no more than that.  And none is written for so long that its end is
 * young when its beginning is too old.
 */
static bool
is_full(int segment, const TgCutRule *rule, bool others_are_kept)
{
	int64		bytes = segment_bytes(segment);
	int64		share = rule->max_bytes / TG_JOURNAL_SEGMENTS;
	int64		full = Min((int64) tg_journal_segment_size_kb * 1024, share);
	TgPosition	first;

	if (bytes >= (others_are_kept ? share : full))
		return true;
	first = end_position(segment, "ASC");
	return first > 0 && first <= rule->aged;
}

static bool
rotate(const TgCutRule *rule, TgPosition *cut)
{
	int			current = current_segment();
	int			next = (current + 1) % TG_JOURNAL_SEGMENTS;
	bool		others_are_kept = false;

	for (int i = 1; i < TG_JOURNAL_SEGMENTS; i++)
	{
		int			segment = (current + i) % TG_JOURNAL_SEGMENTS;

		if (segment_bytes(segment) == 0)
			continue;
		if (try_empty(segment, rule, !others_are_kept, cut))
			return true;
		others_are_kept = true;
	}
	if (segment_bytes(next) > 0 || !is_full(current, rule, others_are_kept))
		return false;

	/* writers that still hold the old one may finish there */
	store_state(next, tg_segment_cut());
	return true;
}

/*
 * One step of the rotation, in a transaction of its own: empty a segment, or,
 * if the next one is empty and the current one is full, make that the current
 * one.  Returns true if something was done; *cut is set if that has cut the
 * journal, else 0.
 */
bool
tg_segment_rotate(const TgCutRule *rule, TgPosition *cut)
{
	bool		done;

	*cut = 0;
	SPI_connect();
	done = rotate(rule, cut);
	SPI_finish();
	return done;
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
