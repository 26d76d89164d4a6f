/*-------------------------------------------------------------------------
 *
 * src/transport/copy_bounds.c
 *	  Where a table is cut into ranges of keys that are copied in parallel.
 *
 * The cuts are quantiles of the keys in a sample of the table's pages, in the
 * order of the key's index.  Nothing depends on how even they are, or on what
 * is written meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/sql.h"
#include "bulk/row_scan.h"
#include "catalog/pg_authid_d.h"
#include "catalog/pg_class.h"
#include "clock/identity.h"
#include "executor/spi.h"
#include "row/key_order.h"
#include "row/truncation.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
#include "tcop/dest.h"
#include "transport/copy_bounds.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define MAX_RANGE_BYTES		(16 * 1024 * 1024)	/* large: few transactions */
#define MIN_RANGE_BYTES		(256 * 1024)	/* small: all workers have some */
#define RANGES_AT_LEAST		16	/* of a table that is large enough */
#define MAX_RANGES			4096
#define PAGES_PER_RANGE		20	/* in the sample */

/* How large a table is, with all its leaves. */
typedef struct TableSize
{
	uint64		pages;			/* of the heap */
	uint64		bytes;			/* with what is out of line */
} TableSize;

/* The keys of the sample come in here, in order. */
typedef struct Sample
{
	DestReceiver receiver;		/* must be first */
	TgKeySpec  *key;
	MemoryContext context;		/* of the keys */
	TgBytes    *keys;
	uint32		nkeys;
	uint32		max_keys;
} Sample;

static void
add_leaf_size(TableSize *size, Relation leaf)
{
	size->pages += RelationGetNumberOfBlocks(leaf);
	size->bytes += (uint64) RelationGetNumberOfBlocks(leaf) * BLCKSZ;
	if (OidIsValid(leaf->rd_rel->reltoastrelid))
	{
		Relation	toast = relation_open(leaf->rd_rel->reltoastrelid, AccessShareLock);

		size->bytes += (uint64) RelationGetNumberOfBlocks(toast) * BLCKSZ;
		relation_close(toast, AccessShareLock);
	}
}

static TableSize
size_of(Oid relid)
{
	TableSize	size = {0};
	ListCell   *lc;

	foreach(lc, tg_scan_leaves(relid))
	{
		Relation	leaf = relation_open(lfirst_oid(lc), AccessShareLock);

		add_leaf_size(&size, leaf);
		relation_close(leaf, NoLock);
	}
	return size;
}

static uint64
count_ranges(const TableSize *size)
{
	uint64		range_bytes = size->bytes / RANGES_AT_LEAST;

	range_bytes = Min(Max(range_bytes, MIN_RANGE_BYTES), MAX_RANGE_BYTES);
	return Min(size->bytes / range_bytes + 1, MAX_RANGES);
}

static bool
receive(TupleTableSlot *result, DestReceiver *self)
{
	Sample	   *sample = (Sample *) self;
	MemoryContext old = MemoryContextSwitchTo(sample->context);
	StringInfoData key;

	if (sample->nkeys == sample->max_keys)
	{
		sample->max_keys *= 2;
		sample->keys = repalloc_huge(sample->keys, sample->max_keys * sizeof(TgBytes));
	}
	slot_getallattrs(result);
	initStringInfo(&key);
	for (int i = 0; i < sample->key->ncolumns; i++)
		tg_value_write(&sample->key->columns[i].value, result->tts_values[i], &key);
	sample->keys[sample->nkeys].data = memcpy(palloc(key.len), key.data, key.len);
	sample->keys[sample->nkeys++].len = key.len;
	pfree(key.data);
	MemoryContextSwitchTo(old);
	return true;
}

/*
 * A query for the keys of about so many pages, sorted.
 */
static char *
sample_query(Relation rel, TgTable *table, double percent)
{
	StringInfoData columns;
	char	   *name = tg_sql_name(RelationGetRelid(rel));

	initStringInfo(&columns);
	for (int i = 0; i < table->key->ncolumns; i++)
	{
		AttrNumber	attno = table->key->columns[i].attno;

		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname)));
	}
	return psprintf("SELECT %s FROM (SELECT %s FROM %s%s TABLESAMPLE SYSTEM (%.9f)) AS t%s",
					columns.data, columns.data,
					rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ", name,
					percent, tg_key_order_clause(rel, table));
}

static void
read_sample(Sample *sample, Relation rel, double percent)
{
	TgTable    *table = tg_table_get(rel);
	TgSqlSession session;
	SPIExecuteOptions options = {.read_only = true,.dest = &sample->receiver};
	SPIPlanPtr	plan;

	sample->receiver = *None_Receiver;
	sample->receiver.receiveSlot = receive;
	sample->key = table->key;
	sample->context = CurrentMemoryContext;
	sample->max_keys = 1024;
	sample->keys = palloc(sample->max_keys * sizeof(TgBytes));

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	plan = SPI_prepare(sample_query(rel, table, percent), 0, NULL);
	if (plan == NULL || SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not sample the keys of a table");
	SPI_freeplan(plan);
	tg_sql_end(&session);
}

/*
 * Keys that cut the table into ranges of about the same size.
 */
static void
find_bounds(Relation rel, TgBoundsAnswer *answer)
{
	TableSize	size = size_of(RelationGetRelid(rel));
	uint64		nranges = count_ranges(&size);
	Sample		sample = {0};

	if (nranges < 2)
		return;
	read_sample(&sample, rel, Min(100.0, 100.0 * nranges * PAGES_PER_RANGE / Max(size.pages, 1)));
	nranges = Min(nranges, sample.nkeys);
	answer->bounds = palloc(Max(nranges, 1) * sizeof(TgBytes));
	for (uint64 i = 1; i < nranges; i++)
		answer->bounds[answer->nbounds++] = sample.keys[i * sample.nkeys / nranges];
}

/*
 * Answer a request for bounds, in the current memory context.  Locks the table
 * with ACCESS SHARE.
 */
StringInfo
tg_answer_bounds(const TgRangeRequest *request)
{
	Oid			relid = tg_table_relid(request->table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	StringInfo	buf = makeStringInfo();
	TgBoundsAnswer answer = {
		.sender = tg_node_id_required(),
		.epoch = request->asker.epoch
	};

	if (rel == NULL || tg_table_id(rel) != request->table)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %d is not replicated on node %d", request->table, answer.sender)));
	answer.fingerprint = tg_table_get(rel)->fingerprint;
	answer.truncation = tg_truncation_find(request->table);
	find_bounds(rel, &answer);
	relation_close(rel, NoLock);
	tg_wire_write_bounds(buf, &answer);
	return buf;
}
