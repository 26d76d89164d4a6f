/*-------------------------------------------------------------------------
 *
 * src/journal/mark.c
 *	  The low-water mark that this node tells, and its cap after a start.
 *
 * A server that has crashed may have lost its last transactions while its
 * peers have them.  Their stamps lie above every mark in the journal that was
 * recovered, because a mark vouches only for what lies before it in the WAL.
 * So until every peer has been asked for what is above, no greater mark is
 * told to anybody: not in the journal, not in requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "clock/node_clock.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "journal/read.h"
#include "port/atomics.h"

#define CAP_UNKNOWN		0		/* since the server start, nobody has looked */
#define CAP_LIFTED		PG_UINT64_MAX
#define CAP_NOTHING		1		/* the journal has no mark */

typedef struct MarkShared
{
	pg_atomic_uint64 cap[TG_MAX_DATABASES]; /* lock free */
} MarkShared;

static MarkShared *shared = NULL;

/*
 * The mark to tell now: every write of this node with a stamp up to it lies
 * at a position that is already taken, or has aborted.  Reads the journal at
 * the first call after a server start.
 */
TgStamp
tg_mark_for_journal(TgNodeId node)
{
	pg_atomic_uint64 *cap = &shared->cap[tg_database_slot()];

	tg_mark_recover();
	return Min(tg_inflight_low_water(node), pg_atomic_read_u64(cap));
}

/*
 * Before this node takes its first stamp after a server start: set the cap,
 * and have the clock begin after all that the journal has.  The clock's own
 * file does not travel with WAL, so a standby that was promoted, or a server
 * after pg_upgrade, may have an old one or none.
 */
void
tg_mark_recover(void)
{
	pg_atomic_uint64 *cap = &shared->cap[tg_database_slot()];
	uint64		unknown = CAP_UNKNOWN;

	if (likely(pg_atomic_read_u64(cap) != CAP_UNKNOWN))
		return;
	tg_clock_advance(tg_journal_last_position());
	(void) pg_atomic_compare_exchange_u64(cap, &unknown, Max(tg_journal_last_mark(), CAP_NOTHING));
}

/*
 * The journal of this database has begun anew.
 */
void
tg_mark_forget(void)
{
	pg_atomic_write_u64(&shared->cap[tg_database_slot()], CAP_UNKNOWN);
}

/*
 * Every peer has given back what it had of us.
 */
void
tg_mark_lift_cap(void)
{
	pg_atomic_write_u64(&shared->cap[tg_database_slot()], CAP_LIFTED);
}

Size
tg_mark_shmem_size(void)
{
	return sizeof(MarkShared);
}

void
tg_mark_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u64(&shared->cap[i], CAP_UNKNOWN);
}
