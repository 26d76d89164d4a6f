/*-------------------------------------------------------------------------
 *
 * src/transport/incarnation.c
 *	  The lives of this node: topgun.incarnation.
 *
 * Each start of the server is a new one, also after a crash.  It is made
 * durable before the node says anything to a peer.  A copy of the node begins a
 * life of its own at its start, with the same ancestors and another random
 * number; so peers can tell the two apart, see transport/accepted.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "clock/node_clock.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "port/atomics.h"
#include "transport/incarnation.h"

#define KEPT			100		/* ancestors */

typedef struct IncarnationShared
{
	/* written once in a server's life, counter last; lock free */
	pg_atomic_uint32 counters[TG_MAX_DATABASES];
	pg_atomic_uint64 randoms[TG_MAX_DATABASES];
} IncarnationShared;

static IncarnationShared *shared = NULL;

/*
 * The incarnation of this node; counter 0 if it has not been made yet.
 */
TgIncarnation
tg_incarnation_current(void)
{
	int			slot = tg_database_slot();
	TgIncarnation incarnation = {0, 0};

	incarnation.counter = pg_atomic_read_u32(&shared->counters[slot]);
	pg_read_barrier();
	if (incarnation.counter != 0)
		incarnation.random = pg_atomic_read_u64(&shared->randoms[slot]);
	return incarnation;
}

/*
 * Begin a life: a row that must be committed before it is published.
 */
TgIncarnation
tg_incarnation_make(void)
{
	TgSqlSession session;
	TgIncarnation incarnation;
	bool		isnull;

	if (!pg_strong_random(&incarnation.random, sizeof(incarnation.random)))
		incarnation.random = pg_prng_uint64(&pg_global_prng_state);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("INSERT INTO topgun.incarnation (counter, random) "
					  "SELECT COALESCE(max(counter), 0) + 1, " INT64_FORMAT " FROM topgun.incarnation "
					  "RETURNING counter", (int64) incarnation.random);
	incarnation.counter =
		(uint32) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	(void) tg_sql_run("DELETE FROM topgun.incarnation WHERE counter < %u",
					  Max(incarnation.counter, KEPT) - KEPT);
	tg_sql_end(&session);
	return incarnation;
}

/*
 * This is our life, for all processes of the database.
 */
void
tg_incarnation_publish(TgIncarnation incarnation)
{
	int			slot = tg_database_slot();

	Assert(incarnation.counter != 0);

	pg_atomic_write_u64(&shared->randoms[slot], incarnation.random);
	pg_write_barrier();
	pg_atomic_write_u32(&shared->counters[slot], incarnation.counter);
}

/*
 * This database is no node, whatever was known before.
 */
void
tg_incarnation_forget(void)
{
	pg_atomic_write_u32(&shared->counters[tg_database_slot()], 0);
}

/*
 * The lives before this one, the newest first; their number.
 */
int
tg_incarnation_ancestors(TgIncarnation *ancestors, int max)
{
	TgSqlSession session;
	int			n = 0;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("SELECT counter, random FROM topgun.incarnation WHERE counter < %u "
					  "ORDER BY counter DESC LIMIT %d", tg_incarnation_current().counter, max);
	for (; n < SPI_processed; n++)
	{
		HeapTuple	row = SPI_tuptable->vals[n];
		bool		isnull;

		ancestors[n].counter = (uint32) DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		ancestors[n].random = (uint64) DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
	}
	tg_sql_end(&session);
	return n;
}

Size
tg_incarnation_shmem_size(void)
{
	return sizeof(IncarnationShared);
}

void
tg_incarnation_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
	{
		pg_atomic_init_u32(&shared->counters[i], 0);
		pg_atomic_init_u64(&shared->randoms[i], 0);
	}
}
