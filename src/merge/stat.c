/*-------------------------------------------------------------------------
 *
 * src/merge/stat.c
 *	  Counters of what merges have done, in shared memory.
 *
 * A transaction adds what it has merged when it commits: what is rolled back
 * is merged again, and counts once.  One that is prepared counts then, however
 * it ends; so do merges in a subtransaction that is rolled back by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/database.h"
#include "merge/stat.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

typedef struct DatabaseStat
{
	TimestampTz since;			/* the counters count */
	TgMergeStat sources[TG_MERGE_SOURCES];
} DatabaseStat;

typedef struct MergeStatShared
{
	LWLock	   *lock;			/* protects the rest */
	DatabaseStat databases[TG_MAX_DATABASES];
} MergeStatShared;

static MergeStatShared *shared = NULL;

/* What this transaction has merged. */
static struct
{
	bool		is_set;
	int			slot;
	TgMergeStat sources[TG_MERGE_SOURCES];
}			pending;

static void
publish_pending(void)
{
	DatabaseStat *database = &shared->databases[pending.slot];
	TimestampTz now = GetCurrentTransactionStopTimestamp();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < TG_MERGE_SOURCES; i++)
	{
		if (pending.sources[i].merges == 0)
			continue;
		tg_counts_add(&database->sources[i].counts, &pending.sources[i].counts);
		database->sources[i].merges += pending.sources[i].merges;
		database->sources[i].last = now;
	}
	LWLockRelease(shared->lock);
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	if (!pending.is_set)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			publish_pending();
			break;
		case XACT_EVENT_ABORT:
			break;
		default:
			return;
	}
	memset(&pending, 0, sizeof(pending));
}

/*
 * Count a merge of this transaction, if that commits.
 */
void
tg_merge_stat_note(TgMergeSource source, const TgMergeCounts *counts)
{
	static bool is_registered = false;

	if (!is_registered)
		RegisterXactCallback(end_of_transaction, NULL);
	is_registered = true;

	pending.slot = tg_database_slot();
	pending.is_set = true;
	pending.sources[source].merges++;
	tg_counts_add(&pending.sources[source].counts, counts);
}

/*
 * What merges of a source have done in this database.
 */
void
tg_merge_stat_get(TgMergeSource source, TgMergeStat *stat)
{
	DatabaseStat *database = &shared->databases[tg_database_slot()];

	LWLockAcquire(shared->lock, LW_SHARED);
	*stat = database->sources[source];
	LWLockRelease(shared->lock);
}

/*
 * Since when the counters of this database count: since they were reset, or
 * since the server started.
 */
TimestampTz
tg_merge_stat_since(void)
{
	DatabaseStat *database = &shared->databases[tg_database_slot()];
	TimestampTz since;

	LWLockAcquire(shared->lock, LW_SHARED);
	since = database->since;
	LWLockRelease(shared->lock);
	return since;
}

/*
 * All counters of this database begin anew.
 */
void
tg_merge_stat_reset(void)
{
	DatabaseStat *database = &shared->databases[tg_database_slot()];
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	memset(database, 0, sizeof(*database));
	database->since = now;
	LWLockRelease(shared->lock);
}

Size
tg_merge_stat_shmem_size(void)
{
	return sizeof(MergeStatShared);
}

void
tg_merge_stat_shmem_attach(void *ptr, bool found)
{
	TimestampTz now = GetCurrentTimestamp();

	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun merge stat")->lock;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		shared->databases[i].since = now;
}
