/*-------------------------------------------------------------------------
 *
 * src/transport/table_stat.c
 *	  Counters of each replicated table, in shared memory.
 *
 * Open addressing over a fixed array.  Tables beyond its size are replicated
 * like others, only not counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "common/hashfn.h"
#include "storage/lwlock.h"
#include "transport/table_stat.h"

#define MAX_TABLES		1024

typedef struct TableStat
{
	int			database;		/* slot + 1; 0: free */
	TgTableId	table;
	TgMergeCounts counts;
} TableStat;

typedef struct TableStatShared
{
	LWLock	   *lock;			/* protects the rest */
	TableStat	stats[MAX_TABLES];
} TableStatShared;

static TableStatShared *shared = NULL;

/*
 * The entry of a table, or a free one where it belongs, or NULL.  Lock held.
 */
static TableStat *
find(int database, TgTableId table)
{
	uint32		start = hash_combine(murmurhash32(table), database);

	Assert(LWLockHeldByMe(shared->lock));
	for (int i = 0; i < MAX_TABLES; i++)
	{
		TableStat  *stat = &shared->stats[(start + i) % MAX_TABLES];

		if (stat->database == 0 || (stat->database == database && stat->table == table))
			return stat;
	}
	return NULL;
}

/*
 * Add what a merge has counted between two moments.
 */
void
tg_table_stat_add(TgTableId table, const TgMergeCounts *before, const TgMergeCounts *after)
{
	int			database = tg_database_slot() + 1;
	TableStat  *stat;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	stat = find(database, table);
	if (stat != NULL)
	{
		stat->database = database;
		stat->table = table;
		tg_counts_add(&stat->counts, after);
		tg_counts_subtract(&stat->counts, before);
	}
	LWLockRelease(shared->lock);
}

/*
 * The counters of a table, zero if it has none.
 */
void
tg_table_stat_get(TgTableId table, TgMergeCounts *counts)
{
	int			database = tg_database_slot() + 1;
	TableStat  *stat;

	memset(counts, 0, sizeof(*counts));
	LWLockAcquire(shared->lock, LW_SHARED);
	stat = find(database, table);
	if (stat != NULL && stat->database != 0)
		*counts = stat->counts;
	LWLockRelease(shared->lock);
}

/*
 * All counters of this database begin anew.
 */
void
tg_table_stat_reset(void)
{
	int			database = tg_database_slot() + 1;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_TABLES; i++)
		if (shared->stats[i].database == database)
			memset(&shared->stats[i].counts, 0, sizeof(TgMergeCounts));
	LWLockRelease(shared->lock);
}

Size
tg_table_stat_shmem_size(void)
{
	return sizeof(TableStatShared);
}

void
tg_table_stat_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun table stat")->lock;
}
