/*-------------------------------------------------------------------------
 *
 * src/merge/quarantine.c
 *	  Rows that came from a peer and cannot be applied here.
 *
 * A version in quarantine counts as the state of its key: older ones no
 * longer come in, a newer one that can be applied replaces it, and a pull of
 * this node's journal gets it as if it stood in the table.
 *
 * The key is taken out of the bytes as they came, so that it is known even if
 * the row cannot be read.  Bytes that cannot be taken apart wait under a hash
 * of them, and a TRUNCATE waits under no key at all, without a payload.
 *
 * Those who change the same entry at once wait for each other's transaction,
 * as with rows of a table, and then look again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/attempt.h"
#include "base/catalog.h"
#include "base/database.h"
#include "base/error.h"
#include "base/hash.h"
#include "catalog/indexing.h"
#include "journal/append.h"
#include "merge/conflict.h"
#include "merge/load.h"
#include "merge/quarantine.h"
#include "port/atomics.h"
#include "row/stamp.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

enum
{
	COLUMN_TABLE = 1, COLUMN_KEY, COLUMN_STAMP, COLUMN_DELETED, COLUMN_PAYLOAD,
	COLUMN_FINGERPRINT, COLUMN_ROW_DATA, COLUMN_ERROR, COLUMN_SQLSTATE, COLUMN_PEER, COLUMN_TRIES,
	COLUMN_SINCE, COLUMN_LAST_TRY, COLUMNS = COLUMN_LAST_TRY
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

/*
 * Is certainly nothing in quarantine?
 */
bool
tg_quarantine_is_empty(void)
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
look_up(LookUp *entry, TgTableId table, TgBytes key, Snapshot snapshot)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], COLUMN_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table));
	ScanKeyInit(&keys[1], COLUMN_KEY, BTEqualStrategyNumber, F_BYTEAEQ,
				PointerGetDatum(cstring_to_text_with_len(key.data, key.len)));
	entry->rel = table_open(tg_catalog_oid(TG_CAT_QUARANTINE), RowExclusiveLock);
	entry->snapshot = RegisterSnapshot(snapshot);
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

static TgBytes
payload_of(LookUp *entry)
{
	bool		isnull;

	return tg_bytes_of_varlena(DatumGetByteaPCopy(value_of(entry, COLUMN_PAYLOAD, &isnull)));
}

/* The bytes of a deletion's key are never empty. */
static TgChangeKind
kind_of(LookUp *entry, TgBytes payload)
{
	bool		isnull;

	if (!DatumGetBool(value_of(entry, COLUMN_DELETED, &isnull)))
		return TG_CHANGE_ROW;
	return payload.len > 0 ? TG_CHANGE_DELETE : TG_CHANGE_TRUNCATE;
}

static uint64
fingerprint_of(LookUp *entry)
{
	bool		isnull;

	return (uint64) DatumGetInt64(value_of(entry, COLUMN_FINGERPRINT, &isnull));
}

/*
 * Wait for whoever is changing the entry, and keep others from it.  False if
 * it is no longer what was found.
 */
static bool
lock_entry(LookUp *entry)
{
	HeapTupleData tuple = {.t_self = entry->tuple->t_self};
	Buffer		buffer;
	TM_FailureData failure;
	TM_Result	result = heap_lock_tuple(entry->rel, &tuple, GetCurrentCommandId(true),
										 LockTupleExclusive, LockWaitBlock, false,
										 &buffer, &failure);

	ReleaseBuffer(buffer);
	return result == TM_Ok;
}

/*
 * Look the entry up in order to change it.
 */
static void
look_up_locked(LookUp *entry, TgTableId table, TgBytes key)
{
	for (;;)
	{
		look_up(entry, table, key, GetLatestSnapshot());
		if (entry->tuple == NULL || lock_entry(entry))
			return;
		end_look_up(entry);
	}
}

/*
 * The table with this id, locked with ACCESS SHARE, so that it stays what it
 * is; NULL if it is not here.
 */
static Relation
open_table(TgTableId id)
{
	Oid			relid = tg_table_relid(id);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;

	if (rel == NULL || tg_table_id(rel) == id)
		return rel;
	relation_close(rel, AccessShareLock);
	return NULL;
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

	if (tg_quarantine_is_empty())
		return true;
	look_up(&entry, target->table->id, key, GetLatestSnapshot());
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
	if (!tg_quarantine_is_empty())
		tg_quarantine_forget(target->table->id, key, stamp);
}

/*
 * What waits under these bytes and is not newer than the stamp goes.
 */
void
tg_quarantine_forget(TgTableId table, TgBytes key, TgStamp stamp)
{
	LookUp		entry;

	look_up_locked(&entry, table, key);
	if (entry.tuple != NULL && stamp_of(&entry) <= stamp)
		CatalogTupleDelete(entry.rel, &entry.tuple->t_self);
	end_look_up(&entry);
	CommandCounterIncrement();
}

/*
 * Can the waiting version be read as the table is now?  A deletion says
 * nothing but the key, so it outlives changes of other columns.
 */
static bool
is_current(LookUp *entry, TgTableId table, TgChangeKind kind)
{
	Relation	rel = open_table(table);
	bool		current;

	if (rel == NULL)
		return false;
	current = kind != TG_CHANGE_ROW || fingerprint_of(entry) == tg_table_get(rel)->fingerprint;
	relation_close(rel, NoLock);
	return current;
}

/*
 * The version that waits under a key, if one does.  It can be that nothing
 * can be done with it, since the table has other columns now than when it
 * came: then its payload has no data.  The table stays locked with ACCESS
 * SHARE.
 */
bool
tg_quarantine_find(TgTableId table, TgBytes key, Snapshot snapshot, TgChange *change)
{
	LookUp		entry;
	bool		found;

	if (tg_quarantine_is_empty())
		return false;
	look_up(&entry, table, key, snapshot);
	found = entry.tuple != NULL;
	if (found)
	{
		change->payload = payload_of(&entry);
		change->kind = kind_of(&entry, change->payload);
		change->stamp = stamp_of(&entry);
		if (!is_current(&entry, table, change->kind))
			change->payload = tg_bytes(NULL, 0);
	}
	end_look_up(&entry);
	return found;
}

/*
 * Does the version that waits under a key wait because it may have been
 * deleted here?
 */
bool
tg_quarantine_is_doubtful(TgTableId table, TgBytes key, Snapshot snapshot)
{
	LookUp		entry;
	bool		doubtful = false;
	bool		isnull;

	if (tg_quarantine_is_empty())
		return false;
	look_up(&entry, table, key, snapshot);
	if (entry.tuple != NULL)
		doubtful = strcmp(TextDatumGetCString(value_of(&entry, COLUMN_SQLSTATE, &isnull)),
						  unpack_sql_state(ERRCODE_TG_DOUBTFUL)) == 0;
	end_look_up(&entry);
	return doubtful;
}

/* How a change that is put aside compares with what waits under its key. */
typedef enum Outcome
{
	IS_NEW, IS_SAME, IS_OLDER
} Outcome;

/* A change that is put aside. */
typedef struct Entry
{
	TgTableId	table;
	uint64		fingerprint;
	const TgChange *change;
	const ErrorData *error;
	TgNodeId	peer;
	StringInfoData key;
	bool		is_readable;	/* the key can be read here */
	Datum		json;			/* 0: the row cannot be read */
	Outcome		outcome;
	MemoryContext context;
} Entry;

/*
 * See how far the change can be read here, as the owner of the table.
 */
static void
read_contents(void *arg)
{
	Entry	   *fresh = arg;
	TgTarget   *target = tg_merge_open_table(fresh->table, RowExclusiveLock);
	StringInfoData key;

	if (target == NULL)
		return;
	tg_target_set_key(target, tg_bytes_of_buf(&fresh->key));
	fresh->is_readable = true;
	if (fresh->change->kind == TG_CHANGE_ROW)
	{
		MemoryContext old;

		initStringInfo(&key);
		tg_change_load(target, fresh->change, &key);
		old = MemoryContextSwitchTo(fresh->context);
		fresh->json = tg_row_to_json(target->row);
		MemoryContextSwitchTo(old);
	}
	tg_merge_close_table(target);
}

static void
find_key(Entry *fresh, TgTable *table)
{
	TgBytes		payload = fresh->change->payload;

	initStringInfo(&fresh->key);
	if (!tg_change_key(table, fresh->change, &fresh->key))
	{
		resetStringInfo(&fresh->key);
		tg_write_u64(&fresh->key, tg_hash64(payload.data, payload.len));
	}
	else if (fresh->key.len > 0)
	{
		ErrorData  *error = tg_attempt(read_contents, fresh);

		if (error != NULL)
			FreeErrorData(error);
	}
}

static void
form_error(Datum *values, const ErrorData *error)
{
	const char *message = error->message ? error->message : "missing error text";

	values[COLUMN_ERROR - 1] = CStringGetTextDatum(message);
	values[COLUMN_SQLSTATE - 1] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[COLUMN_LAST_TRY - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
}

static void
form_entry(Datum *values, bool *nulls, const Entry *fresh)
{
	const TgChange *change = fresh->change;

	values[COLUMN_TABLE - 1] = Int32GetDatum(fresh->table);
	values[COLUMN_KEY - 1] =
		PointerGetDatum(cstring_to_text_with_len(fresh->key.data, fresh->key.len));
	values[COLUMN_STAMP - 1] = TgStampGetDatum(change->stamp);
	nulls[COLUMN_STAMP - 1] = change->stamp == TG_NO_STAMP;
	values[COLUMN_DELETED - 1] = BoolGetDatum(change->kind != TG_CHANGE_ROW);
	values[COLUMN_PAYLOAD - 1] =
		PointerGetDatum(cstring_to_text_with_len(change->payload.data, change->payload.len));
	values[COLUMN_FINGERPRINT - 1] = Int64GetDatum((int64) fresh->fingerprint);
	values[COLUMN_ROW_DATA - 1] = fresh->json;
	nulls[COLUMN_ROW_DATA - 1] = fresh->json == (Datum) 0;
	values[COLUMN_PEER - 1] = Int32GetDatum(fresh->peer);
	values[COLUMN_TRIES - 1] = Int32GetDatum(1);
	form_error(values, fresh->error);
	values[COLUMN_SINCE - 1] = values[COLUMN_LAST_TRY - 1];
}

/*
 * It has failed again.  What it is stays where it is.
 */
static void
note_failure(LookUp *entry, const ErrorData *error)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};
	bool		replaced[COLUMNS] = {
		[COLUMN_ERROR - 1] = true,
		[COLUMN_SQLSTATE - 1] = true,
		[COLUMN_TRIES - 1] = true,
		[COLUMN_LAST_TRY - 1] = true
	};
	bool		isnull;
	HeapTuple	tuple;

	form_error(values, error);
	values[COLUMN_TRIES - 1] =
		Int32GetDatum(DatumGetInt32(value_of(entry, COLUMN_TRIES, &isnull)) + 1);
	tuple = heap_modify_tuple(entry->tuple, RelationGetDescr(entry->rel), values, nulls, replaced);
	CatalogTupleUpdate(entry->rel, &entry->tuple->t_self, tuple);
}

/*
 * Compare as rows of one key are compared.  The same version, as the table is
 * now, replaces what came before the table was changed.
 */
static Outcome
compare(LookUp *entry, const Entry *fresh)
{
	TgStamp		stamp = stamp_of(entry);
	TgBytes		ours = payload_of(entry);
	TgBytes		theirs = fresh->change->payload;
	int			cmp;

	if (fresh->change->stamp != stamp)
		return fresh->change->stamp > stamp ? IS_NEW : IS_OLDER;
	if (kind_of(entry, ours) != fresh->change->kind)
		return fresh->change->kind == TG_CHANGE_ROW ? IS_OLDER : IS_NEW;
	if (fingerprint_of(entry) != fresh->fingerprint)
		return IS_NEW;
	cmp = memcmp(theirs.data, ours.data, Min(theirs.len, ours.len));
	if (cmp == 0)
		cmp = theirs.len < ours.len ? -1 : theirs.len > ours.len;
	return cmp > 0 ? IS_NEW : cmp < 0 ? IS_OLDER : IS_SAME;
}

/*
 * Write the entry, or replace an older one of the same key.
 */
static void
store(void *arg)
{
	Entry	   *fresh = arg;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};
	LookUp		entry;

	form_entry(values, nulls, fresh);
	look_up_locked(&entry, fresh->table, tg_bytes_of_buf(&fresh->key));
	fresh->outcome = entry.tuple == NULL ? IS_NEW : compare(&entry, fresh);
	if (entry.tuple == NULL)
		tg_catalog_insert(entry.rel, values, nulls);
	else if (fresh->outcome == IS_NEW)
		CatalogTupleUpdate(entry.rel, &entry.tuple->t_self,
						   heap_form_tuple(RelationGetDescr(entry.rel), values, nulls));
	else if (fresh->outcome == IS_SAME)
		note_failure(&entry, fresh->error);
	end_look_up(&entry);
}

/*
 * Our own peers learn of it from the journal: of a row or deletion as far as
 * they can ask for its key, of a TRUNCATE as if it had been done.
 */
static void
announce(const Entry *fresh)
{
	TgEntry		entry = {
		.table = fresh->table,
		.op = TG_OP_ANNOUNCE,
		.new_stamp = fresh->change->stamp,
		.key = tg_bytes_of_buf(&fresh->key)
	};

	if (fresh->change->kind == TG_CHANGE_TRUNCATE)
		entry.op = TG_OP_TRUNCATE;
	else if (!fresh->is_readable)
		return;
	tg_journal_add(tg_table_relid(fresh->table), &entry);
}

static void
put(TgMerge *merge, Entry *fresh)
{
	ErrorData  *error;

	pg_atomic_write_u32(&shared->use[tg_database_slot()], IN_USE);
	/* another one may have put the key aside meanwhile: then it is there now */
	while ((error = tg_attempt(store, fresh)) != NULL)
		if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
			ReThrowError(error);

	if (fresh->outcome == IS_SAME)
		merge->counts.equal++;
	else if (fresh->outcome == IS_OLDER)
		merge->counts.older++;
	else
	{
		merge->counts.quarantined++;
		announce(fresh);
	}
}

/*
 * Put a change aside that could not be merged, in place of an older one of
 * its key.  It is journaled, so that our own peers learn of it.  The caller
 * has found the table as it was when the change was sent, and holds a lock
 * since; nothing is done if it is not here any more.
 */
void
tg_quarantine_put(TgMerge *merge, TgTableId table, const TgChange *change, const ErrorData *error)
{
	Relation	rel = open_table(table);
	MemoryContext context;
	MemoryContext old;
	Entry		fresh = {.table = table,.change = change,.error = error,.peer = merge->peer};

	if (rel == NULL)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "topgun quarantine",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	fresh.context = context;
	fresh.fingerprint = tg_table_get(rel)->fingerprint;
	find_key(&fresh, tg_table_get(rel));
	put(merge, &fresh);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	relation_close(rel, NoLock);
}

/*
 * The version that waits under these bytes was tried and has failed again.
 */
void
tg_quarantine_note(TgTableId table, TgBytes key, TgStamp stamp, const ErrorData *error)
{
	LookUp		entry;

	look_up_locked(&entry, table, key);
	if (entry.tuple != NULL && stamp_of(&entry) == stamp)
		note_failure(&entry, error);
	end_look_up(&entry);
	CommandCounterIncrement();
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
