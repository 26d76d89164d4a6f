/*-------------------------------------------------------------------------
 *
 * src/journal/inflight.c
 *	  Transactions that write to replicated tables and have not ended yet.
 *
 * Two questions must be answered without a lock.  "Up to which position is
 * the journal final?" (the horizon), and "up to which stamp are our writes
 * final?" (the low-water mark).  Both rest on one order of steps:
 *
 *	writer:	announce a lower bound in its slot, then tick the clock
 *	reader:	tick the clock, then read all slots
 *
 * A tick that came before the reader's is announced when the reader looks; a
 * tick that came later is greater than the reader's.  The slot is cleared
 * when the transaction is visible to new snapshots, or has aborted.
 *
 * Backends that wait for changes have a flag in the same slot; whoever ends
 * a transaction with journal rows sets their latches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/database.h"
#include "clock/hlc.h"
#include "clock/node_clock.h"
#include "journal/inflight.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/proc.h"

#define NOTHING		PG_UINT64_MAX

/* Of one process; written by that process only, read by all, lock free. */
typedef struct InflightSlot
{
	pg_atomic_uint32 database;	/* slot number + 1, 0 = not in flight */
	pg_atomic_uint32 waiting;	/* database slot + 1, 0 = does not wait */
	pg_atomic_uint64 first;		/* no stamp of it is below, or NOTHING */
	pg_atomic_uint64 position;	/* not below this, or NOTHING */
} InflightSlot;

typedef struct InflightShared
{
	pg_atomic_uint64 last_position[TG_MAX_DATABASES];	/* of what has
														 * committed; lock free */
	InflightSlot slots[FLEXIBLE_ARRAY_MEMBER];	/* by backend number */
} InflightShared;

static InflightShared *shared = NULL;
static bool is_in = false;		/* our slot is in use */

static InflightSlot *
my_slot(void)
{
	return &shared->slots[TG_MY_PROC_NUMBER];
}

static void
announce(void)
{
	InflightSlot *slot = my_slot();

	if (is_in)
		return;
	pg_atomic_write_u64(&slot->first, NOTHING);
	pg_atomic_write_u64(&slot->position, NOTHING);
	pg_atomic_write_u32(&slot->database, tg_database_slot() + 1);
	is_in = true;
}

/*
 * Register this transaction before it takes its first stamp.  May be called
 * again at no cost.
 */
void
tg_inflight_enter(TgNodeId node)
{
	InflightSlot *slot = my_slot();

	if (is_in && pg_atomic_read_u64(&slot->first) != NOTHING)
		return;
	announce();

	/* any tick taken before we register is below all that we shall take */
	pg_atomic_write_u64(&slot->first, tg_clock_tick(node));
	pg_memory_barrier();
}

/*
 * The position of this transaction's journal rows.  From here until it ends
 * the horizon stays below.
 */
TgPosition
tg_inflight_take_position(TgNodeId node)
{
	InflightSlot *slot = my_slot();
	TgPosition	position;

	announce();
	pg_atomic_write_u64(&slot->position, tg_clock_tick(node));
	pg_memory_barrier();
	position = tg_clock_tick(node);
	pg_atomic_write_u64(&slot->position, position);
	return position;
}

/*
 * The position of this transaction, which has not left yet; 0 if it has none.
 */
TgPosition
tg_inflight_position(void)
{
	uint64		position = is_in ? pg_atomic_read_u64(&my_slot()->position) : NOTHING;

	return position == NOTHING ? 0 : position;
}

static void
wake_waiters(uint32 database)
{
	for (int i = 0; i < TG_MAX_PROCS; i++)
		if (pg_atomic_read_u32(&shared->slots[i].waiting) == database)
			SetLatch(&GetPGProcByNumber(i)->procLatch);
}

/*
 * The transaction has ended and all can see how.  Never fails.
 */
void
tg_inflight_leave(bool committed)
{
	InflightSlot *slot;
	uint64		position;
	int			database;

	if (!is_in)
		return;

	slot = my_slot();
	position = pg_atomic_read_u64(&slot->position);
	database = pg_atomic_read_u32(&slot->database) - 1;
	if (committed && position != NOTHING)
	{
		pg_atomic_uint64 *last = &shared->last_position[database];
		uint64		old = pg_atomic_read_u64(last);

		while (old < position &&
			   !pg_atomic_compare_exchange_u64(last, &old, position))
			;
	}
	pg_memory_barrier();
	pg_atomic_write_u32(&slot->database, 0);
	pg_memory_barrier();
	is_in = false;
	if (position != NOTHING)
		wake_waiters(database + 1);
}

/*
 * The greatest stamp of the tick before.
 */
static TgStamp
before(TgStamp stamp)
{
	return ((stamp >> TG_NODE_BITS) << TG_NODE_BITS) - 1;
}

/*
 * Every write of this node with a stamp up to the result is visible or has
 * aborted, or belongs to this transaction's future if it has not registered.
 */
TgStamp
tg_inflight_low_water(TgNodeId node)
{
	TgStamp		mark = tg_clock_tick(node);
	uint32		database = tg_database_slot() + 1;

	pg_memory_barrier();
	for (int i = 0; i < TG_MAX_PROCS; i++)
	{
		InflightSlot *slot = &shared->slots[i];

		if (pg_atomic_read_u32(&slot->database) == database)
			mark = Min(mark, pg_atomic_read_u64(&slot->first));
	}
	return before(mark);
}

/*
 * Every journal row with a position up to the result belongs to a transaction
 * that has committed and is visible to snapshots taken from now on, or it
 * will never be.
 */
TgPosition
tg_inflight_horizon(TgNodeId node)
{
	TgPosition	horizon = tg_clock_tick(node);
	uint32		database = tg_database_slot() + 1;

	pg_memory_barrier();
	for (int i = 0; i < TG_MAX_PROCS; i++)
	{
		InflightSlot *slot = &shared->slots[i];

		if (pg_atomic_read_u32(&slot->database) == database)
			horizon = Min(horizon, before(pg_atomic_read_u64(&slot->position)));
	}
	return horizon;
}

/*
 * Is another transaction in flight that may still write a stamp below this?
 * The clock must have observed the stamp before.
 */
bool
tg_inflight_older_writer(TgStamp stamp)
{
	uint32		database = tg_database_slot() + 1;

	pg_memory_barrier();
	for (int i = 0; i < TG_MAX_PROCS; i++)
	{
		InflightSlot *slot = &shared->slots[i];

		if (slot != my_slot() &&
			pg_atomic_read_u32(&slot->database) == database &&
			pg_atomic_read_u64(&slot->first) < stamp)
			return true;
	}
	return false;
}

/*
 * The greatest position that has committed since the server started, 0 if
 * none has.
 */
TgPosition
tg_inflight_last_position(void)
{
	return pg_atomic_read_u64(&shared->last_position[tg_database_slot()]);
}

/*
 * The journal of this database has begun anew.
 */
void
tg_inflight_forget(void)
{
	pg_atomic_write_u64(&shared->last_position[tg_database_slot()], 0);
}

/*
 * From here on our latch is set whenever a transaction with journal rows
 * ends.  Ask after this whether there is something to wait for.
 */
void
tg_waiter_enter(void)
{
	pg_atomic_write_u32(&my_slot()->waiting, tg_database_slot() + 1);
	pg_memory_barrier();
}

/*
 * We no longer wait.  Safe to call when we do not.
 */
void
tg_waiter_leave(void)
{
	pg_atomic_write_u32(&my_slot()->waiting, 0);
}

Size
tg_inflight_shmem_size(void)
{
	return add_size(offsetof(InflightShared, slots),
					mul_size(TG_MAX_PROCS, sizeof(InflightSlot)));
}

void
tg_inflight_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u64(&shared->last_position[i], 0);
	for (int i = 0; i < TG_MAX_PROCS; i++)
	{
		pg_atomic_init_u32(&shared->slots[i].database, 0);
		pg_atomic_init_u32(&shared->slots[i].waiting, 0);
		pg_atomic_init_u64(&shared->slots[i].first, NOTHING);
		pg_atomic_init_u64(&shared->slots[i].position, NOTHING);
	}
}
