/*-------------------------------------------------------------------------
 *
 * src/bulk/scrub.c
 *	  Looking, one table after the other, whether trees still tell the truth.
 *
 * A tree follows the journal, so it does not see damage past the capture
 * trigger.  A scrub derives it anew from the rows.  Each repair interval earns
 * a share of all rows; when that is enough for the table whose turn it is, its
 * tree is rebuilt.  So a pass over all tables takes 1 / topgun.scrub_share
 * intervals, however the rows are spread over them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "base/database.h"
#include "base/guc.h"
#include "base/sql.h"
#include "bulk/rebuild.h"
#include "bulk/scrub.h"
#include "catalog/pg_authid_d.h"
#include "executor/spi.h"
#include "port/atomics.h"
#include "row/table.h"
#include "storage/lockdefs.h"
#include "storage/lwlock.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define MAX_TABLES		1024
#define BASE_COST		1000	/* of a table, in rows, on top of its own */

typedef struct ScrubTable
{
	TgTableId	id;
	int64		cost;
} ScrubTable;

/* When a table was last scrubbed.  Tables beyond MAX_TABLES have none. */
typedef struct ScrubTime
{
	int			database;		/* slot + 1; 0: free, and all after it */
	TgTableId	table;
	TimestampTz at;
} ScrubTime;

typedef struct ScrubShared
{
	pg_atomic_uint32 turn[TG_MAX_DATABASES];	/* id of the last table; lock
												 * free */
	LWLock	   *lock;			/* protects the rest */
	ScrubTime	times[MAX_TABLES];
} ScrubShared;

static ScrubShared *shared = NULL;

/* Of this worker. */
static struct
{
	int64		credit;			/* rows */
	bool		goes_on;		/* the call before asked for this one */
}			state;

/*
 * The place of a table, a free one if it has none yet, or NULL.  Lock held.
 */
static ScrubTime *
find_time(TgTableId table)
{
	int			database = tg_database_slot() + 1;

	Assert(LWLockHeldByMe(shared->lock));
	for (int i = 0; i < MAX_TABLES; i++)
	{
		ScrubTime  *time = &shared->times[i];

		if (time->database == 0 || (time->database == database && time->table == table))
			return time;
	}
	return NULL;
}

static void
remember_time(TgTableId table, TimestampTz now)
{
	ScrubTime  *time;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	time = find_time(table);
	if (time != NULL)
	{
		time->database = tg_database_slot() + 1;
		time->table = table;
		time->at = now;
	}
	LWLockRelease(shared->lock);
}

/*
 * When a table was last scrubbed; 0 if it was not since the server started.
 */
TimestampTz
tg_scrub_last(TgTableId table)
{
	ScrubTime  *time;
	TimestampTz at = 0;

	LWLockAcquire(shared->lock, LW_SHARED);
	time = find_time(table);
	if (time != NULL && time->database != 0)
		at = time->at;
	LWLockRelease(shared->lock);
	return at;
}

/*
 * The tables that are here, in the order of their ids.  Allocated in the
 * current memory context.
 */
static ScrubTable *
list_tables(int *ntables)
{
	MemoryContext caller = CurrentMemoryContext;
	TgSqlSession session;
	ScrubTable *tables;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	*ntables = (int) tg_sql_run("SELECT s.table_id, COALESCE(t.rows, 0) "
								"FROM topgun.table_state s "
								"LEFT JOIN topgun.merkle_tree t USING (table_id) "
								"WHERE s.state <> 'missing' ORDER BY 1");
	tables = MemoryContextAlloc(caller, Max(*ntables, 1) * sizeof(ScrubTable));
	for (int i = 0; i < *ntables; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		tables[i].id = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
		tables[i].cost = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull)) + BASE_COST;
	}
	tg_sql_end(&session);
	return tables;
}

/*
 * Earn what one interval is worth.  Credit for more than all tables would be
 * of no use.
 */
static void
earn(const ScrubTable *tables, int ntables)
{
	int64		all = 0;

	for (int i = 0; i < ntables; i++)
		all += tables[i].cost;
	state.credit = Min(all, state.credit + (int64) ceil(tg_scrub_share * all));
}

/*
 * The table after the one that had its turn last.
 */
static const ScrubTable *
next_table(const ScrubTable *tables, int ntables)
{
	TgTableId	last = (TgTableId) pg_atomic_read_u32(&shared->turn[tg_database_slot()]);

	for (int i = 0; i < ntables; i++)
		if (tables[i].id > last)
			return &tables[i];
	return &tables[0];
}

static void
rebuild(Relation rel)
{
	int			differed = tg_rebuild_tree(rel, 0);

	if (differed == 0)
		return;
	ereport(LOG,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the Merkle tree of table %s differed from its rows in %d leaves",
					tg_sql_name(RelationGetRelid(rel)), differed),
			 errdetail("The tree is right again; peers that have other rows will be found by comparing."),
			 errhint("Rows were changed past the capture trigger, or a partition was detached or dropped.")));
}

/*
 * Rebuild the tree of a table, unless the table has gone.  In a transaction of
 * its own.
 */
void
tg_scrub_table(TgTableId table)
{
	Oid			relid = tg_table_relid(table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;

	if (rel == NULL)
		return;
	if (tg_table_id(rel) == table)
	{
		rebuild(rel);
		remember_time(table, GetCurrentTimestamp());
	}
	relation_close(rel, NoLock);
}

/*
 * Scrub the next table if there is enough credit for it; true if there may be
 * enough for another.  Call it once in each repair interval, and again, in a
 * transaction of its own, while it returns true.  A table that cannot be
 * scrubbed is passed over the next time.
 */
bool
tg_scrub(void)
{
	int			ntables;
	ScrubTable *tables = list_tables(&ntables);
	bool		goes_on = state.goes_on;
	const ScrubTable *next;

	state.goes_on = false;
	if (tg_scrub_share == 0 || ntables == 0)
	{
		state.credit = 0;
		return false;
	}

	if (!goes_on)
		earn(tables, ntables);
	next = next_table(tables, ntables);
	if (state.credit < next->cost)
		return false;

	state.credit -= next->cost;
	pg_atomic_write_u32(&shared->turn[tg_database_slot()], (uint32) next->id);
	tg_scrub_table(next->id);
	return state.goes_on = true;
}

Size
tg_scrub_shmem_size(void)
{
	return sizeof(ScrubShared);
}

void
tg_scrub_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u32(&shared->turn[i], 0);
	shared->lock = &GetNamedLWLockTranche("topgun scrub")->lock;
}
