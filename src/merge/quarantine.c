/*-------------------------------------------------------------------------
 *
 * src/merge/quarantine.c
 *	  Rows that came from a peer and cannot be applied here.
 *
 * A version in quarantine counts as the state of its key: older ones no
 * longer come in, a newer one that can be applied replaces it, and a pull of
 * this node's journal gets it as if it stood in the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/database.h"
#include "base/hash.h"
#include "catalog/indexing.h"
#include "journal/append.h"
#include "merge/load.h"
#include "merge/conflict.h"
#include "merge/quarantine.h"
#include "port/atomics.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

enum
{
	COLUMN_TABLE = 1, COLUMN_KEY, COLUMN_STAMP, COLUMN_DELETED, COLUMN_PAYLOAD, COLUMN_ROW_DATA,
	COLUMN_ERROR, COLUMN_SQLSTATE, COLUMN_PEER, COLUMN_TRIES, COLUMN_SINCE, COLUMN_LAST_TRY,
	COLUMNS = COLUMN_LAST_TRY
};

/* Is anything in quarantine?  Of a database, lock free. */
#define NOT_KNOWN	0			/* act as if there were */
#define EMPTY		1
#define IN_USE		2			/* now or since the server start */

typedef struct QuarantineShared
{
	pg_atomic_uint32 use[TG_MAX_DATABASES];
} QuarantineShared;

static QuarantineShared *shared = NULL;

static bool
is_empty(void)
{
	return pg_atomic_read_u32(&shared->use[tg_database_slot()]) == EMPTY;
}

/* The entry of one key. */
typedef struct LookUp
{
	Relation	rel;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;			/* NULL: the key is not in quarantine */
} LookUp;

static void
look_up(LookUp *entry, TgTableId table, TgBytes key)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], COLUMN_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table));
	ScanKeyInit(&keys[1], COLUMN_KEY, BTEqualStrategyNumber, F_BYTEAEQ,
				PointerGetDatum(cstring_to_text_with_len(key.data, key.len)));
	entry->rel = table_open(tg_catalog_oid(TG_CAT_QUARANTINE), RowExclusiveLock);
	entry->snapshot = RegisterSnapshot(GetLatestSnapshot());
	entry->scan = systable_beginscan(entry->rel, tg_catalog_oid(TG_CAT_QUARANTINE_PKEY), true,
									 entry->snapshot, 2, keys);
	entry->tuple = systable_getnext(entry->scan);
}

static void
end_look_up(LookUp *entry)
{
	systable_endscan(entry->scan);
	UnregisterSnapshot(entry->snapshot);
	table_close(entry->rel, NoLock);
}

static Datum
value_of(LookUp *entry, int attno, bool *isnull)
{
	return heap_getattr(entry->tuple, attno, RelationGetDescr(entry->rel), isnull);
}

static TgStamp
stamp_of(LookUp *entry)
{
	bool		isnull;
	Datum		value = value_of(entry, COLUMN_STAMP, &isnull);

	return isnull ? TG_NO_STAMP : DatumGetTgStamp(value);
}

/*
 * May a change with this stamp be merged?  Not if a newer one of its key waits
 * in quarantine.
 */
bool
tg_quarantine_lets_pass(TgTarget *target, TgBytes key, TgStamp stamp)
{
	LookUp		entry;
	bool		passes;

	if (is_empty())
		return true;
	look_up(&entry, target->table->id, key);
	passes = entry.tuple == NULL || stamp_of(&entry) <= stamp;
	end_look_up(&entry);
	return passes;
}

/*
 * A change has been merged: what waited of its key and is not newer goes.
 */
void
tg_quarantine_resolve(TgTarget *target, TgBytes key, TgStamp stamp)
{
	LookUp		entry;

	if (is_empty())
		return;
	look_up(&entry, target->table->id, key);
	if (entry.tuple != NULL && stamp_of(&entry) <= stamp)
		CatalogTupleDelete(entry.rel, &entry.tuple->t_self);
	end_look_up(&entry);
}

/*
 * The version of a key that waits in quarantine, if one does.
 */
bool
tg_quarantine_find(TgTableId table, TgBytes key, TgChange *change)
{
	LookUp		entry;
	bool		found;

	if (is_empty())
		return false;
	look_up(&entry, table, key);
	found = entry.tuple != NULL;
	if (found)
	{
		bool		isnull;
		bytea	   *payload = DatumGetByteaPCopy(value_of(&entry, COLUMN_PAYLOAD, &isnull));

		change->kind = DatumGetBool(value_of(&entry, COLUMN_DELETED, &isnull)) ?
			TG_CHANGE_DELETE : TG_CHANGE_ROW;
		change->stamp = stamp_of(&entry);
		change->payload = tg_bytes_of_varlena(payload);
	}
	end_look_up(&entry);
	return found;
}

/*
 * What is known of the row that a change carries; a row that cannot even be
 * read has neither key nor text.
 */
typedef struct Contents
{
	StringInfoData key;
	Datum		json;			/* 0: none */
} Contents;

static void
read_contents(TgTableId table, const TgChange *change, Contents *contents)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	initStringInfo(&contents->key);
	contents->json = (Datum) 0;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		TgTarget   *target = tg_merge_open_table(table, RowExclusiveLock);

		if (target != NULL)
		{
			tg_change_load(target, change, &contents->key);
			if (change->kind == TG_CHANGE_ROW)
				contents->json = tg_row_to_json(target->row);
			tg_merge_close_table(target);
		}
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;

	if (contents->key.len == 0)
		tg_write_u64(&contents->key, tg_hash64(change->payload.data, change->payload.len));
}

static void
form_entry(Datum *values, bool *nulls, TgTableId table, const TgChange *change,
		   const Contents *contents)
{
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());

	values[COLUMN_TABLE - 1] = Int32GetDatum(table);
	values[COLUMN_KEY - 1] =
		PointerGetDatum(cstring_to_text_with_len(contents->key.data, contents->key.len));
	values[COLUMN_STAMP - 1] = TgStampGetDatum(change->stamp);
	nulls[COLUMN_STAMP - 1] = change->stamp == TG_NO_STAMP;
	values[COLUMN_DELETED - 1] = BoolGetDatum(change->kind == TG_CHANGE_DELETE);
	values[COLUMN_PAYLOAD - 1] =
		PointerGetDatum(cstring_to_text_with_len(change->payload.data, change->payload.len));
	values[COLUMN_ROW_DATA - 1] = contents->json;
	nulls[COLUMN_ROW_DATA - 1] = contents->json == (Datum) 0;
	values[COLUMN_TRIES - 1] = Int32GetDatum(1);
	values[COLUMN_SINCE - 1] = now;
	values[COLUMN_LAST_TRY - 1] = now;
}

/*
 * Write the entry, or replace the one of the same key.  False if this version
 * was there before.
 */
static bool
store_entry(TgTableId table, TgBytes key, TgStamp stamp, Datum *values, bool *nulls)
{
	LookUp		entry;
	bool		is_new = true;

	look_up(&entry, table, key);
	if (entry.tuple == NULL)
		tg_catalog_insert(entry.rel, values, nulls);
	else
	{
		bool		isnull;
		HeapTuple	tuple;

		values[COLUMN_SINCE - 1] = value_of(&entry, COLUMN_SINCE, &isnull);
		is_new = stamp_of(&entry) != stamp;
		if (!is_new)
			values[COLUMN_TRIES - 1] =
				Int32GetDatum(DatumGetInt32(value_of(&entry, COLUMN_TRIES, &isnull)) + 1);
		tuple = heap_form_tuple(RelationGetDescr(entry.rel), values, nulls);
		CatalogTupleUpdate(entry.rel, &entry.tuple->t_self, tuple);
	}
	end_look_up(&entry);
	return is_new;
}

/*
 * Put a change aside that could not be merged, in place of an older one of
 * its key.  It is journaled, so that our own peers learn of it.
 */
void
tg_quarantine_put(TgMerge *merge, TgTableId table, const TgChange *change, const ErrorData *error)
{
	Contents	contents;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};
	TgEntry		announcement = {.table = table,.op = TG_OP_ANNOUNCE,.new_stamp = change->stamp};
	TgBytes		key;

	read_contents(table, change, &contents);
	form_entry(values, nulls, table, change, &contents);
	values[COLUMN_ERROR - 1] = CStringGetTextDatum(error->message);
	values[COLUMN_SQLSTATE - 1] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[COLUMN_PEER - 1] = Int32GetDatum(merge->peer);

	key = tg_bytes_of_buf(&contents.key);
	pg_atomic_write_u32(&shared->use[tg_database_slot()], IN_USE);
	if (!store_entry(table, key, change->stamp, values, nulls))
		return;
	merge->counts.quarantined++;
	announcement.key = key;
	tg_journal_add(tg_table_relid(table), &announcement);
}

/*
 * After a server start: see whether anything is there at all.
 */
void
tg_quarantine_learn(void)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_QUARANTINE), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	uint32		not_known = NOT_KNOWN;

	if (systable_getnext(scan) == NULL)
		pg_atomic_compare_exchange_u32(&shared->use[tg_database_slot()], &not_known, EMPTY);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

Size
tg_quarantine_shmem_size(void)
{
	return sizeof(QuarantineShared);
}

void
tg_quarantine_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u32(&shared->use[i], NOT_KNOWN);
}
