/*-------------------------------------------------------------------------
 *
 * src/bulk/progress.c
 *	  How far the running bulk jobs of this server are: for topgun.progress.
 *
 * The leader of a job has a place here from beginning to end, and is the only
 * one to write it.  A job that finds no free place runs without being seen.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/progress.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

typedef struct Place
{
	/* under "topgun progress"; the leader's own, read by all */
	bool		is_used;
	int			pid;
	Oid			database;
	TgJobKind	kind;
	Oid			relid;
	TgNodeId	peer;
	TimestampTz started;

	/* written by the leader, lock free */
	pg_atomic_uint32 phase;
	pg_atomic_uint32 slices_total;
	pg_atomic_uint32 slices_done;
	pg_atomic_uint32 nworkers;
	pg_atomic_uint64 rows;
} Place;

typedef struct ProgressShared
{
	LWLock	   *lock;
	Place		places[TG_MAX_JOBS];
} ProgressShared;

static ProgressShared *shared = NULL;

static int
find_free(void)
{
	for (int i = 0; i < TG_MAX_JOBS; i++)
		if (!shared->places[i].is_used)
			return i;
	return TG_NO_PROGRESS;
}

/*
 * A job begins, with this process as its leader; its place, for the calls
 * below, or TG_NO_PROGRESS, which they accept.  Mirrored by tg_progress_end().
 */
int
tg_progress_begin(TgJobKind kind, Oid relid, TgNodeId peer)
{
	TimestampTz now = GetCurrentTimestamp();
	int			number;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	number = find_free();
	if (number != TG_NO_PROGRESS)
	{
		Place	   *place = &shared->places[number];

		place->is_used = true;
		place->pid = MyProcPid;
		place->database = MyDatabaseId;
		place->kind = kind;
		place->relid = relid;
		place->peer = peer;
		place->started = now;
		pg_atomic_write_u32(&place->phase, TG_PHASE_STARTING);
		pg_atomic_write_u32(&place->slices_total, 0);
		pg_atomic_write_u32(&place->slices_done, 0);
		pg_atomic_write_u32(&place->nworkers, 0);
		pg_atomic_write_u64(&place->rows, 0);
	}
	LWLockRelease(shared->lock);
	return number;
}

/*
 * The job has ended, and its workers with it.
 */
void
tg_progress_end(int place)
{
	if (place == TG_NO_PROGRESS)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->places[place].is_used = false;
	LWLockRelease(shared->lock);
}

/*
 * The job is in its next phase.
 */
void
tg_progress_set_phase(int place, TgJobPhase phase)
{
	if (place != TG_NO_PROGRESS)
		pg_atomic_write_u32(&shared->places[place].phase, phase);
}

/*
 * So many slices are done, of those that are known.
 */
void
tg_progress_set_slices(int place, int done, int total)
{
	if (place == TG_NO_PROGRESS)
		return;
	pg_atomic_write_u32(&shared->places[place].slices_done, done);
	pg_atomic_write_u32(&shared->places[place].slices_total, total);
}

/*
 * So many workers are there now.
 */
void
tg_progress_set_workers(int place, int nworkers)
{
	if (place != TG_NO_PROGRESS)
		pg_atomic_write_u32(&shared->places[place].nworkers, nworkers);
}

/*
 * So many rows have been dealt with.
 */
void
tg_progress_set_rows(int place, int64 rows)
{
	if (place != TG_NO_PROGRESS)
		pg_atomic_write_u64(&shared->places[place].rows, rows);
}

/*
 * Fill in the jobs of this database, at most TG_MAX_JOBS; how many there are.
 */
int
tg_progress_list(TgProgress *jobs)
{
	int			n = 0;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < TG_MAX_JOBS; i++)
	{
		Place	   *place = &shared->places[i];

		if (!place->is_used || place->database != MyDatabaseId)
			continue;
		jobs[n++] = (TgProgress)
		{
			.pid = place->pid,
				.database = place->database,
				.kind = place->kind,
				.relid = place->relid,
				.peer = place->peer,
				.phase = pg_atomic_read_u32(&place->phase),
				.slices_total = pg_atomic_read_u32(&place->slices_total),
				.slices_done = pg_atomic_read_u32(&place->slices_done),
				.nworkers = pg_atomic_read_u32(&place->nworkers),
				.rows = pg_atomic_read_u64(&place->rows),
				.started = place->started
		};
	}
	LWLockRelease(shared->lock);
	return n;
}

Size
tg_progress_shmem_size(void)
{
	return sizeof(ProgressShared);
}

void
tg_progress_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun progress")->lock;
	for (int i = 0; i < TG_MAX_JOBS; i++)
	{
		Place	   *place = &shared->places[i];

		pg_atomic_init_u32(&place->phase, TG_PHASE_STARTING);
		pg_atomic_init_u32(&place->slices_total, 0);
		pg_atomic_init_u32(&place->slices_done, 0);
		pg_atomic_init_u32(&place->nworkers, 0);
		pg_atomic_init_u64(&place->rows, 0);
	}
}
