/*-------------------------------------------------------------------------
 *
 * src/merge/conflict_log.c
 *	  What is kept of conflicts: in segments that are emptied in turn.
 *
 * As with the journal, the oldest rows go by emptying a table, never one by
 * one.  There are no partitions by day that come and go: to drop one locks out
 * every merge that wants to write a conflict, and tables made later than the
 * extension turn up in dumps.
 *
 * A segment is written for half of the retention, and emptied when it was
 * begun one and a half ago; or sooner, when the segments are full.  The one
 * that is written has the newest first row, so nothing but the rows says which
 * it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/catalog.h"
#include "base/database.h"
#include "base/guc.h"
#include "base/hash.h"
#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "merge/conflict_log.h"
#include "port/atomics.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define NOT_READ		PG_UINT32_MAX

typedef struct ConflictShared
{
	pg_atomic_uint32 current[TG_MAX_DATABASES]; /* segment; lock free */
} ConflictShared;

static ConflictShared *shared = NULL;

/*
 * Is the conflict of these two versions one that is kept, if this share of all
 * is?  All nodes that see it say the same.
 */
bool
tg_conflict_is_sample(TgStamp a, TgStamp b, double share)
{
	TgStamp		stamps[2] = {Min(a, b), Max(a, b)};
	uint64		hash = tg_hash64(stamps, sizeof(stamps));

	return (double) (hash >> 11) / (double) (UINT64CONST(1) << 53) < share;
}

/*
 * When a segment was begun; 0 if it is empty.
 */
static TimestampTz
begin_of(int segment)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_CONFLICT + segment), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TimestampTz begin = 0;

	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		begin = DatumGetTimestampTz(slot_getattr(slot, 1, &isnull));
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return begin;
}

static int
newest_segment(void)
{
	TimestampTz newest = 0;
	int			current = 0;

	for (int i = 0; i < TG_CONFLICT_SEGMENTS; i++)
	{
		TimestampTz begin = begin_of(i);

		if (begin == 0 || begin < newest)
			continue;
		newest = begin;
		current = i;
	}
	return current;
}

static int
current_segment(void)
{
	pg_atomic_uint32 *current = &shared->current[tg_database_slot()];
	uint32		unread = NOT_READ;

	if (pg_atomic_read_u32(current) == NOT_READ)
		pg_atomic_compare_exchange_u32(current, &unread, newest_segment());
	return pg_atomic_read_u32(current);
}

/*
 * The size of a segment, with the values that are stored apart.
 */
static int64
bytes_of(Relation rel)
{
	int64		blocks = RelationGetNumberOfBlocks(rel);
	Oid			toast = rel->rd_rel->reltoastrelid;

	if (OidIsValid(toast))
	{
		Relation	toast_rel = table_open(toast, AccessShareLock);

		blocks += RelationGetNumberOfBlocks(toast_rel);
		table_close(toast_rel, AccessShareLock);
	}
	return blocks * BLCKSZ;
}

static bool
is_full(Relation rel)
{
	return bytes_of(rel) >= (int64) tg_conflict_max_size_kb * 1024 / TG_CONFLICT_SEGMENTS;
}

/*
 * Keep a conflict, unless there is no room before the segments turn.
 */
void
tg_conflict_log_write(Datum *values, bool *nulls)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_CONFLICT + current_segment()),
								 RowExclusiveLock);

	if (!is_full(rel))
		tg_catalog_insert(rel, values, nulls);
	table_close(rel, RowExclusiveLock);
}

/*
 * Empty a segment, if nobody uses it.
 */
static bool
try_empty(int segment)
{
	TgSqlSession session;

	if (!ConditionalLockRelationOid(tg_catalog_oid(TG_CAT_CONFLICT + segment), AccessExclusiveLock))
		return false;
	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("TRUNCATE topgun.conflict_%d", segment);
	tg_sql_end(&session);
	return true;
}

/*
 * Is it time to go on in the next segment?
 */
static bool
is_done(int segment, TimestampTz begin, TimestampTz now)
{
	Relation	rel;
	bool		full;

	if (begin == 0)
		return false;
	if (now - begin >= tg_conflict_retention_s * USECS_PER_SEC / 2)
		return true;
	rel = table_open(tg_catalog_oid(TG_CAT_CONFLICT + segment), AccessShareLock);
	full = is_full(rel);
	table_close(rel, AccessShareLock);
	return full;
}

/*
 * Empty what is too old, and what is about to be written next; go on there.
 * One step, in a transaction of its own.  Returns false: what could not be
 * locked has to wait.
 */
bool
tg_conflict_log_turn(void)
{
	TimestampTz now = GetCurrentTimestamp();
	int			current = current_segment();
	int			next = (current + 1) % TG_CONFLICT_SEGMENTS;

	for (int i = 0; i < TG_CONFLICT_SEGMENTS; i++)
	{
		TimestampTz begin = begin_of(i);

		if (begin != 0 && now - begin >= tg_conflict_retention_s * USECS_PER_SEC * 3 / 2)
			(void) try_empty(i);
	}
	if (!is_done(current, begin_of(current), now))
		return false;
	if (begin_of(next) == 0 || try_empty(next))
		pg_atomic_write_u32(&shared->current[tg_database_slot()], next);
	return false;
}

Size
tg_conflict_shmem_size(void)
{
	return sizeof(ConflictShared);
}

void
tg_conflict_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u32(&shared->current[i], NOT_READ);
}
