/*-------------------------------------------------------------------------
 *
 * src/journal/deletions.c
 *	  Which keys does a transaction leave deleted?  Their tombstones.
 *
 * The entries of a key may lie anywhere in the transaction, in memory and in
 * parts that were written early.  Sorting all entries by table and hash of
 * the key brings them together in bounded memory, and writes the tombstones
 * in the order of their index.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "base/compat.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "journal/deletions.h"
#include "journal/fate.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "row/tombstone.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

/* A table that this transaction has deleted from. */
typedef struct DeletedFrom
{
	slist_node	link;
	TgTableId	id;
	Oid			relid;			/* the table or one of its partitions */
	Relation	rel;			/* while tombstones are written; else NULL */
	TgTable    *table;			/* of it, as long as it is valid */
	bool		is_gone;		/* dropped later in the same transaction */
	TgStamp		truncated;		/* by this transaction, or TG_NO_STAMP */
} DeletedFrom;

static slist_head deleted_from = SLIST_STATIC_INIT(deleted_from);

/* One of the keys that share a hash. */
typedef struct KeyFate
{
	slist_node	link;
	TgBytes		key;
	TgFate		fate;
} KeyFate;

/* The keys with one hash in one table, while their entries come in. */
typedef struct KeyGroup
{
	TgTableId	id;				/* 0: no group yet */
	uint32		hash;
	DeletedFrom *from;
	slist_head	keys;
	MemoryContext context;		/* of the keys; reset with each group */
	TgTombstoneWriter *writer;
} KeyGroup;

/*
 * This transaction deletes rows of a table; the relation is the table or a
 * partition of it.
 */
void
tg_deletions_remember_table(TgTableId id, Oid relid)
{
	slist_iter	iter;
	DeletedFrom *from;

	slist_foreach(iter, &deleted_from)
	{
		if (slist_container(DeletedFrom, link, iter.cur)->id == id)
			return;
	}
	from = MemoryContextAllocZero(TopTransactionContext, sizeof(DeletedFrom));
	from->id = id;
	from->relid = relid;
	slist_push_head(&deleted_from, &from->link);
}

/*
 * The transaction has ended.
 */
void
tg_deletions_forget(void)
{
	slist_init(&deleted_from);
}

static DeletedFrom *
find_table(TgTableId id)
{
	slist_iter	iter;

	slist_foreach(iter, &deleted_from)
	{
		DeletedFrom *from = slist_container(DeletedFrom, link, iter.cur);

		if (from->id == id)
			return from;
	}
	return NULL;
}

static Relation
try_open(Oid relid, TgTableId id)
{
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;

	if (rel == NULL || tg_table_id(rel) == id)
		return rel;
	relation_close(rel, AccessShareLock);
	return NULL;
}

/*
 * The table, for its key; by another way if the partition that was seen first
 * is gone by now.
 */
static TgTable *
open_table(DeletedFrom *from)
{
	if (from->rel == NULL && !from->is_gone)
	{
		from->rel = try_open(from->relid, from->id);
		if (from->rel == NULL)
			from->rel = try_open(tg_table_relid(from->id), from->id);
		from->is_gone = from->rel == NULL;
	}
	if (from->is_gone)
		return NULL;
	if (from->table == NULL || !from->table->valid)
		from->table = tg_table_get(from->rel);
	return from->table;
}

static void
close_tables(void)
{
	slist_iter	iter;

	slist_foreach(iter, &deleted_from)
	{
		DeletedFrom *from = slist_container(DeletedFrom, link, iter.cur);

		if (from->rel != NULL)
			relation_close(from->rel, NoLock);
		from->rel = NULL;
		from->table = NULL;
	}
}

/*
 * Hashes as numbers that sort without sign as the index has them with one.
 */
static uint32
sortable(uint32 hash)
{
	return hash ^ UINT32_C(0x80000000);
}

/*
 * Entries of one piece into the sort, each behind its table and hash.  Those
 * of tables without deletions are left out.
 */
static void
sort_entries(Tuplesortstate *sort, TgBytes entries)
{
	TgReader	reader;
	TgEntry		entry;
	TgEntryStatus status;
	StringInfoData buf;

	initStringInfo(&buf);
	tg_reader_init(&reader, entries.data, entries.len);
	while ((status = tg_entry_read(&reader, &entry)) == TG_ENTRY_OK)
	{
		DeletedFrom *from = find_table(entry.table);
		TgTable    *table = from ? open_table(from) : NULL;

		if (table == NULL)
			continue;
		if (entry.op == TG_OP_TRUNCATE)
		{
			from->truncated = Max(from->truncated, entry.new_stamp);
			continue;
		}
		if (entry.op == TG_OP_BEGIN)
			continue;
		resetStringInfo(&buf);
		appendStringInfoSpaces(&buf, VARHDRSZ);
		tg_write_u32(&buf, entry.table);
		tg_write_u32(&buf, sortable(tg_key_hash(table->key, entry.key)));
		tg_entry_write(&buf, &entry);
		SET_VARSIZE(buf.data, buf.len);
		tuplesort_putdatum(sort, PointerGetDatum(buf.data), false);
	}
	if (status == TG_ENTRY_BROKEN)
		elog(ERROR, "broken journal entry");
	pfree(buf.data);
}

static void
sort_parts(Tuplesortstate *sort, int segment, TgStamp batch)
{
	Snapshot	snapshot;
	TgPartReader *parts;
	uint32		part;
	TgBytes		entries;

	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	parts = tg_parts_open(segment, batch, 0, snapshot);
	while (tg_parts_next(parts, &part, &entries))
		sort_entries(sort, entries);
	tg_parts_close(parts);
	UnregisterSnapshot(snapshot);
}

static void
end_group(KeyGroup *group)
{
	slist_iter	iter;

	slist_foreach(iter, &group->keys)
	{
		KeyFate    *key = slist_container(KeyFate, link, iter.cur);

		if (tg_fate_is_deleted(&key->fate))
			tg_tombstones_write(group->writer, open_table(group->from), key->key, group->hash,
								key->fate.deleted);
	}
	slist_init(&group->keys);
	MemoryContextReset(group->context);
}

static KeyFate *
key_of_group(KeyGroup *group, TgBytes bytes)
{
	TgTable    *table = open_table(group->from);
	slist_iter	iter;
	KeyFate    *key;
	char	   *copy;

	slist_foreach(iter, &group->keys)
	{
		key = slist_container(KeyFate, link, iter.cur);
		if (tg_key_equal(table->key, key->key, bytes))
			return key;
	}
	key = MemoryContextAllocZero(group->context, sizeof(KeyFate));
	copy = MemoryContextAlloc(group->context, bytes.len);
	memcpy(copy, bytes.data, bytes.len);
	key->key = tg_bytes(copy, bytes.len);
	slist_push_head(&group->keys, &key->link);
	return key;
}

static void
take_entry(KeyGroup *group, TgBytes sorted)
{
	TgReader	reader;
	TgTableId	id;
	uint32		hash;
	TgEntry		entry;

	tg_reader_init(&reader, sorted.data, sorted.len);
	id = tg_read_u32(&reader);
	hash = sortable(tg_read_u32(&reader));
	if (tg_entry_read(&reader, &entry) != TG_ENTRY_OK)
		elog(ERROR, "broken journal entry");

	if (id != group->id || hash != group->hash)
	{
		end_group(group);
		group->id = id;
		group->hash = hash;
		group->from = find_table(id);
	}

	/* what a TRUNCATE did away with has no part in what came after it */
	if (group->from->truncated != TG_NO_STAMP && entry.new_stamp <= group->from->truncated)
		return;
	tg_fate_add(&key_of_group(group, entry.key)->fate, &entry);
}

/*
 * Write the tombstones of this transaction's deletions.  The pieces are those
 * in memory; segment and batch name the parts written early, if segment >= 0.
 * Needs an active snapshot.
 */
void
tg_deletions_write(slist_head *pieces, int segment, TgStamp batch)
{
	Tuplesortstate *sort;
	KeyGroup	group = {0};
	slist_iter	iter;
	Datum		value;
	bool		isnull;

	sort = tuplesort_begin_datum(BYTEAOID, ByteaLessOperator, InvalidOid, false,
								 Max(work_mem, maintenance_work_mem), NULL, TUPLESORT_NONE);
	slist_foreach(iter, pieces)
	{
		TgPiece    *piece = slist_container(TgPiece, link, iter.cur);

		sort_entries(sort, tg_bytes_of_buf(&piece->entries));
	}
	if (segment >= 0)
		sort_parts(sort, segment, batch);
	tuplesort_performsort(sort);

	group.context = AllocSetContextCreate(CurrentMemoryContext, "topgun deletions",
										  ALLOCSET_SMALL_SIZES);
	group.writer = tg_tombstones_begin();
	while (tg_tuplesort_getdatum(sort, &value, &isnull))
	{
		CHECK_FOR_INTERRUPTS();
		take_entry(&group, tg_bytes_of_varlena(DatumGetPointer(value)));
		pfree(DatumGetPointer(value));
	}
	end_group(&group);
	tg_tombstones_end(group.writer);
	MemoryContextDelete(group.context);
	tuplesort_end(sort);
	close_tables();
}
