/*-------------------------------------------------------------------------
 *
 * src/transport/ack.c
 *	  Sessions that wait until peers have a transaction durably.
 *
 * A session says which position it waits for before its transaction leaves
 * the registry of those in flight.  So whoever answers a peer with that
 * transaction sees that somebody waits, and the peer is told to flush and to
 * ask again at once.  Lock free, as the registry is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/database.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "transport/ack.h"

/* Of one process; written by that process only, read by all. */
typedef struct AckSlot
{
	pg_atomic_uint32 database;	/* slot number + 1, 0 = does not wait */
	pg_atomic_uint64 position;	/* of our journal */
} AckSlot;

static AckSlot *slots = NULL;	/* by backend number */

/*
 * From here on our latch is set whenever a peer has acknowledged this
 * position.  The caller need not be in a transaction that can read catalogs,
 * but must have been in one.
 */
void
tg_ack_await(TgPosition position)
{
	AckSlot    *slot = &slots[TG_MY_PROC_NUMBER];

	pg_atomic_write_u64(&slot->position, position);
	pg_memory_barrier();
	pg_atomic_write_u32(&slot->database, tg_database_slot() + 1);
	pg_memory_barrier();
}

/*
 * We no longer wait.  Safe to call when we do not.
 */
void
tg_ack_leave(void)
{
	pg_atomic_write_u32(&slots[TG_MY_PROC_NUMBER].database, 0);
}

/*
 * Does a session wait for a position that lies after one cursor, and not after
 * the other?
 */
bool
tg_ack_is_awaited(TgCursor after, TgCursor upto)
{
	uint32		database = tg_database_slot() + 1;

	pg_memory_barrier();
	for (int i = 0; i < TG_MAX_PROCS; i++)
	{
		if (pg_atomic_read_u32(&slots[i].database) == database)
		{
			TgPosition	position = pg_atomic_read_u64(&slots[i].position);

			if (tg_cursor_has(upto, position) && !tg_cursor_has(after, position))
				return true;
		}
	}
	return false;
}

/*
 * A peer has acknowledged our journal up to this position.
 */
void
tg_ack_wake(TgPosition upto)
{
	uint32		database = tg_database_slot() + 1;

	pg_memory_barrier();
	for (int i = 0; i < TG_MAX_PROCS; i++)
		if (pg_atomic_read_u32(&slots[i].database) == database &&
			pg_atomic_read_u64(&slots[i].position) <= upto)
			SetLatch(&GetPGProcByNumber(i)->procLatch);
}

Size
tg_ack_shmem_size(void)
{
	return mul_size(TG_MAX_PROCS, sizeof(AckSlot));
}

void
tg_ack_shmem_attach(void *ptr, bool found)
{
	slots = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_PROCS; i++)
	{
		pg_atomic_init_u32(&slots[i].database, 0);
		pg_atomic_init_u64(&slots[i].position, 0);
	}
}
