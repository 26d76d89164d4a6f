/*-------------------------------------------------------------------------
 *
 * src/row/table.c
 *	  What this backend knows of a replicated table.
 *
 * One entry for each relation that was asked for; entries are never removed,
 * so a pointer to one stays good.  An invalidation only marks it.  The next
 * tg_table_get() fills it anew; what was in it before lives on to the end of
 * the transaction, for callers further up that still use it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/error.h"
#include "base/function.h"
#include "base/hash.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "row/stamp.h"
#include "row/table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#define TABLE_ID_OF_NODE				1
#define TABLE_ID_OF_REPLICATED_TABLE	2

/* Where a table id lives here. */
typedef struct TableOfId
{
	TgTableId	id;				/* hash key; must be first */
	Oid			relid;
} TableOfId;

static struct
{
	MemoryContext context;		/* NULL: nothing is set up yet */
	HTAB	   *tables;			/* of TgTable */
	HTAB	   *ids;			/* of TableOfId */
	uint64		generation;		/* counts invalidations */
}			cache;

static void
forget_id_of(Oid relid)
{
	HASH_SEQ_STATUS seq;
	TableOfId  *entry;

	hash_seq_init(&seq, cache.ids);
	while ((entry = hash_seq_search(&seq)) != NULL)
		if (relid == InvalidOid || entry->relid == relid)
			(void) hash_search(cache.ids, &entry->id, HASH_REMOVE, NULL);
}

static void
invalidate(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS seq;
	TgTable    *table;

	cache.generation++;
	forget_id_of(relid);
	if (relid != InvalidOid)
	{
		table = hash_search(cache.tables, &relid, HASH_FIND, NULL);
		if (table != NULL)
			table->valid = false;
		return;
	}
	hash_seq_init(&seq, cache.tables);
	while ((table = hash_seq_search(&seq)) != NULL)
		table->valid = false;
}

static void
set_up(void)
{
	HASHCTL		tables = {.keysize = sizeof(Oid),.entrysize = sizeof(TgTable)};
	HASHCTL		ids = {.keysize = sizeof(TgTableId),.entrysize = sizeof(TableOfId)};
	MemoryContext context = AllocSetContextCreate(CacheMemoryContext, "topgun tables",
												  ALLOCSET_DEFAULT_SIZES);

	tables.hcxt = ids.hcxt = context;
	cache.tables = hash_create("topgun tables", 64, &tables,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cache.ids = hash_create("topgun table ids", 64, &ids,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cache.context = context;
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}

/*
 * The table id of an open relation, 0 if it is not replicated.  Reads nothing
 * but the relation cache.
 */
TgTableId
tg_table_id(Relation rel)
{
	TriggerDesc *triggers;
	Oid			capture;

	if (rel->trigdesc == NULL)
		return 0;
	capture = tg_function_oid(TG_FN_CAPTURE);
	triggers = rel->trigdesc;	/* the first look-up may have replaced it */
	if (!OidIsValid(capture) || triggers == NULL)
		return 0;

	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == capture && trigger->tgnargs == 1)
			return atoi(trigger->tgargs[0]);
	}
	return 0;
}

static int
compare_names(const void *a, const void *b, void *arg)
{
	TupleDesc	desc = arg;
	AttrNumber	left = *(const AttrNumber *) a;
	AttrNumber	right = *(const AttrNumber *) b;

	return strcmp(NameStr(TupleDescAttr(desc, left - 1)->attname),
				  NameStr(TupleDescAttr(desc, right - 1)->attname));
}

/*
 * Errors out if somebody has given the stamp column another type.
 */
void
tg_require_stamp_type(Relation rel, Oid type)
{
	if (type == get_func_rettype(tg_function_oid(TG_FN_CURRENT_STAMP)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of replicated table \"%s\" is not of type topgun.stamp",
					TG_STAMP_COLUMN, RelationGetRelationName(rel)),
			 errhint("Use topgun.remove_table() and topgun.add_table().")));
}

/*
 * Fill in the columns that travel, and find the stamp.
 */
static void
build_columns(TgTable *table, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber *attnos = palloc(desc->natts * sizeof(AttrNumber));
	int			n = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || att->attgenerated)
			continue;
		if (strcmp(NameStr(att->attname), TG_STAMP_COLUMN) == 0)
		{
			tg_require_stamp_type(rel, att->atttypid);
			table->stamp_attno = att->attnum;
		}
		else
			attnos[n++] = att->attnum;
	}
	qsort_arg(attnos, n, sizeof(AttrNumber), compare_names, desc);

	table->ncolumns = n;
	table->columns = palloc0(n * sizeof(TgColumn));
	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, attnos[i] - 1);

		table->columns[i].attno = att->attnum;
		tg_value_type_init(&table->columns[i].value, att->atttypid, att->atttypmod,
						   table->context);
	}
}

static const char *
column_name(Relation rel, AttrNumber attno)
{
	return NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname);
}

/*
 * Schema and name of a type, whatever the settings of this session are.
 */
static char *
type_name(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	name = psprintf("%s.%s", get_namespace_name(form->typnamespace), NameStr(form->typname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 * Say what two nodes must agree on: names and types, not the order in which
 * this node happens to have them, nor how its settings quote them.
 */
static void
build_description(TgTable *table, Relation rel)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "key(");
	for (int i = 0; i < table->key->ncolumns; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 column_name(rel, table->key->columns[i].attno));
	appendStringInfoChar(&buf, ')');
	for (int i = 0; i < table->ncolumns; i++)
		appendStringInfo(&buf, "%s %s %s", i > 0 ? "," : "",
						 column_name(rel, table->columns[i].attno),
						 type_name(table->columns[i].value.type));
	table->description = buf.data;
	table->fingerprint = tg_hash64(buf.data, buf.len);
}

static void
build(TgTable *table, Relation rel)
{
	table->id = tg_table_id(rel);
	if (table->id == 0)
		return;

	table->key_index = tg_key_index(rel);
	table->key = tg_key_spec_create(rel, table->context);
	build_columns(table, rel);
	if (table->stamp_attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("replicated table \"%s\" has lost its column \"%s\"",
						RelationGetRelationName(rel), TG_STAMP_COLUMN),
				 errhint("Use topgun.remove_table() and topgun.add_table().")));
	build_description(table, rel);
}

/*
 * Replace what is in an entry.  A failure leaves it as it was: not valid.
 */
static void
fill(TgTable *entry, Relation rel)
{
	uint64		generation = cache.generation;
	TgTable		fresh = {.relid = RelationGetRelid(rel)};
	MemoryContext old;

	fresh.context = AllocSetContextCreate(CurrentMemoryContext, "topgun table",
										  ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(fresh.context);
	build(&fresh, rel);
	MemoryContextSwitchTo(old);

	if (entry->context != NULL)
		MemoryContextSetParent(entry->context, TopTransactionContext);
	MemoryContextSetParent(fresh.context, cache.context);
	*entry = fresh;
	entry->valid = generation == cache.generation;
}

/*
 * What is known of an open relation.  If id is 0, it is not replicated, and
 * nothing else is filled in.  The pointer stays good; what it points to stays
 * good until the caller closes the relation or the transaction ends.
 */
TgTable *
tg_table_get(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	TgTable    *table;
	bool		found;

	if (unlikely(cache.context == NULL))
		set_up();

	table = hash_search(cache.tables, &relid, HASH_FIND, NULL);
	if (likely(table != NULL && table->valid))
		return table;

	table = hash_search(cache.tables, &relid, HASH_ENTER, &found);
	if (!found)
	{
		memset(table, 0, sizeof(TgTable));
		table->relid = relid;
	}
	fill(table, rel);
	return table;
}

static Oid
look_up_id(TgTableId id)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TABLE_STATE), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			relid = InvalidOid;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
	scan = systable_beginscan(rel, tg_catalog_oid(TG_CAT_TABLE_STATE_PKEY), true,
							  snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		relid = DatumGetObjectId(heap_getattr(tuple, 2, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return relid;
}

/*
 * The relation, a partitioned table's root, that has this table id here.
 * InvalidOid if there is none.  It may have been dropped since.
 */
Oid
tg_table_relid(TgTableId id)
{
	TableOfId  *entry;
	Oid			relid;

	if (id == TABLE_ID_OF_NODE)
		return tg_catalog_oid(TG_CAT_NODE);
	if (id == TABLE_ID_OF_REPLICATED_TABLE)
		return tg_catalog_oid(TG_CAT_REPLICATED_TABLE);

	if (unlikely(cache.context == NULL))
		set_up();
	entry = hash_search(cache.ids, &id, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->relid;

	relid = look_up_id(id);
	if (OidIsValid(relid))
	{
		entry = hash_search(cache.ids, &id, HASH_ENTER, NULL);
		entry->relid = relid;
	}
	return relid;
}

/*
 * The stamp of a row, TG_NO_STAMP for NULL.
 */
TgStamp
tg_slot_stamp(TgTable *table, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, table->stamp_attno, &isnull);

	return isnull ? TG_NO_STAMP : DatumGetTgStamp(value);
}

/*
 * Append a row to buf: each column that travels, as a value with its length;
 * the length of NULL is -1.
 */
void
tg_row_write(TgTable *table, TupleTableSlot *slot, StringInfo buf)
{
	slot_getallattrs(slot);
	for (int i = 0; i < table->ncolumns; i++)
	{
		TgColumn   *column = &table->columns[i];

		if (slot->tts_isnull[column->attno - 1])
			tg_write_u32(buf, PG_UINT32_MAX);
		else
			tg_value_write(&column->value, slot->tts_values[column->attno - 1], buf);
	}
}

static bool
next_value(TgReader *reader, TgBytes *bytes)
{
	bytes->len = tg_read_u32(reader);
	if (bytes->len == PG_UINT32_MAX)
		return false;
	bytes->data = tg_read_bytes(reader, bytes->len);
	return bytes->data != NULL;
}

/*
 * Append the key of a row to buf, as its bytes are, whether the values can be
 * read here or not.  False if it has not the columns of the table, or NULL in
 * its key.
 */
bool
tg_row_key(TgTable *table, TgBytes row, StringInfo buf)
{
	TgBytes    *values = palloc0(table->ncolumns * sizeof(TgBytes));
	TgReader	reader;

	tg_reader_init(&reader, row.data, row.len);
	for (int i = 0; i < table->ncolumns; i++)
		(void) next_value(&reader, &values[i]);
	if (!tg_reader_ok(&reader) || !tg_reader_at_end(&reader))
		return false;

	for (int i = 0; i < table->key->ncolumns; i++)
	{
		int			k = 0;

		while (k < table->ncolumns && table->columns[k].attno != table->key->columns[i].attno)
			k++;
		if (k == table->ncolumns || values[k].data == NULL)
			return false;
		tg_write_counted(buf, values[k].data, values[k].len);
	}
	return true;
}

/*
 * Fill a slot with a row; columns that do not travel are NULL.  The values are
 * allocated in the current memory context.  Errors out with ERRCODE_TG_PROTOCOL
 * if the bytes are not those of a row, with the type's error if one of the
 * values is not.
 */
void
tg_row_read(TgTable *table, TgBytes row, TupleTableSlot *slot)
{
	TgReader	reader;
	TgBytes		bytes;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	memset(slot->tts_values, 0, slot->tts_tupleDescriptor->natts * sizeof(Datum));

	tg_reader_init(&reader, row.data, row.len);
	for (int i = 0; i < table->ncolumns; i++)
	{
		TgColumn   *column = &table->columns[i];

		if (!next_value(&reader, &bytes))
			continue;
		slot->tts_values[column->attno - 1] = tg_value_read(&column->value, bytes);
		slot->tts_isnull[column->attno - 1] = false;
	}
	if (!tg_reader_ok(&reader) || !tg_reader_at_end(&reader))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("row of %u bytes does not have %d columns",
						row.len, table->ncolumns)));
	ExecStoreVirtualTuple(slot);
}
