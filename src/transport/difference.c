/*-------------------------------------------------------------------------
 *
 * src/transport/difference.c
 *	  What comparing each table with each peer has shown, in shared memory.
 *
 * Open addressing over a fixed array.  Tables beyond its size are compared
 * like others, only not shown.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "common/hashfn.h"
#include "storage/lwlock.h"
#include "transport/difference.h"
#include "utils/timestamp.h"

typedef struct DifferenceShared
{
	LWLock	   *lock;			/* protects the rest */
	TgDifference differences[TG_MAX_DIFFERENCES];
} DifferenceShared;

static DifferenceShared *shared = NULL;

/*
 * Lock, and find or make the entry of a table and a peer; NULL if there is no
 * room.  The caller releases the lock.
 */
static TgDifference *
lock_entry(TgTableId table, TgNodeId peer)
{
	int			database = tg_database_slot() + 1;
	uint32		start = hash_combine(hash_combine(murmurhash32(table), peer), database);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < TG_MAX_DIFFERENCES; i++)
	{
		TgDifference *entry = &shared->differences[(start + i) % TG_MAX_DIFFERENCES];

		if (entry->database == 0)
		{
			entry->database = database;
			entry->table = table;
			entry->peer = peer;
		}
		if (entry->database == database && entry->table == table && entry->peer == peer)
			return entry;
	}
	return NULL;
}

/*
 * A table has been compared: the peer has this root, and so many leaves differ
 * for good.
 */
void
tg_difference_compared(TgTableId table, TgNodeId peer, uint64 root, int leaves)
{
	TimestampTz now = GetCurrentTimestamp();
	TgDifference *entry = lock_entry(table, peer);

	if (entry != NULL)
	{
		entry->root = root;
		entry->leaves = leaves;
		entry->compared = now;
		if (leaves == 0)
			entry->since = 0;
		else if (entry->since == 0)
			entry->since = now;
	}
	LWLockRelease(shared->lock);
}

/*
 * Rows of a table have been made alike, or it was tried.
 */
void
tg_difference_repaired(TgTableId table, TgNodeId peer, int64 rows, int64 bytes)
{
	TgDifference *entry = lock_entry(table, peer);

	if (entry != NULL)
	{
		entry->rows_repaired += rows;
		entry->bytes += bytes;
	}
	LWLockRelease(shared->lock);
}

/*
 * Copy the entries of this database into an array of TG_MAX_DIFFERENCES; their
 * number.
 */
int
tg_difference_list(TgDifference *differences)
{
	int			database = tg_database_slot() + 1;
	int			n = 0;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < TG_MAX_DIFFERENCES; i++)
		if (shared->differences[i].database == database)
			differences[n++] = shared->differences[i];
	LWLockRelease(shared->lock);
	return n;
}

/*
 * The counters of this database begin anew; what differs stays known.
 */
void
tg_difference_reset(void)
{
	int			database = tg_database_slot() + 1;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < TG_MAX_DIFFERENCES; i++)
	{
		TgDifference *entry = &shared->differences[i];

		if (entry->database != database)
			continue;
		entry->rows_repaired = 0;
		entry->bytes = 0;
	}
	LWLockRelease(shared->lock);
}

Size
tg_difference_shmem_size(void)
{
	return sizeof(DifferenceShared);
}

void
tg_difference_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun difference")->lock;
}
