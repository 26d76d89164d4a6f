/*-------------------------------------------------------------------------
 *
 * src/base/catalog.c
 *	  The extension's own tables and indexes.
 *
 * Their OIDs are looked up by name once per backend and forgotten when the
 * relation cache says that one of them has changed, as after DROP EXTENSION.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static const char *const segment_names[] = {
	"journal_%d", "journal_%d_position", "journal_%d_part", "journal_%d_part_batch"
};

static const char *const names[] = {
	[TG_CAT_JOURNAL_STATE] = "journal_state",
	[TG_CAT_CLUSTER_STATE] = "cluster_state",
	[TG_CAT_CONFLICT] = "conflict_0",
	[TG_CAT_CONFLICT + 1] = "conflict_1",
	[TG_CAT_CONFLICT + 2] = "conflict_2",
	[TG_CAT_CONFLICT + 3] = "conflict_3",
	[TG_CAT_FOLD_STATE] = "fold_state",
	[TG_CAT_GC_STATE] = "gc_state",
	[TG_CAT_LOCAL_NODE] = "local_node",
	[TG_CAT_MERKLE_LEAF] = "merkle_leaf",
	[TG_CAT_MERKLE_LEAF_PKEY] = "merkle_leaf_pkey",
	[TG_CAT_MERKLE_TREE] = "merkle_tree",
	[TG_CAT_MERKLE_TREE_PKEY] = "merkle_tree_pkey",
	[TG_CAT_NODE] = "node",
	[TG_CAT_NODE_PKEY] = "node_pkey",
	[TG_CAT_PEER_CURSOR] = "peer_cursor",
	[TG_CAT_PEER_CURSOR_PKEY] = "peer_cursor_pkey",
	[TG_CAT_QUARANTINE] = "quarantine",
	[TG_CAT_QUARANTINE_PKEY] = "quarantine_pkey",
	[TG_CAT_REPLICATED_TABLE] = "replicated_table",
	[TG_CAT_TABLE_STATE] = "table_state",
	[TG_CAT_TABLE_STATE_PKEY] = "table_state_pkey",
	[TG_CAT_TOMBSTONE] = "tombstone",
	[TG_CAT_TOMBSTONE_KEY] = "tombstone_key",
	[TG_CAT_TRUNCATION] = "truncation",
	[TG_CAT_TRUNCATION_PKEY] = "truncation_pkey",
	[TG_CAT_UNVERIFIED] = "unverified",
};

static Oid	oids[TG_CATALOG_COUNT];

static void
forget(Datum arg, Oid relid)
{
	for (int i = 0; i < TG_CATALOG_COUNT; i++)
		if (relid == InvalidOid || oids[i] == relid)
			oids[i] = InvalidOid;
}

/*
 * The schema of the extension, InvalidOid if it is not installed.  A schema
 * that only has its name is somebody else's.
 */
static Oid
extension_schema(void)
{
	Oid			extension = get_extension_oid("topgun", true);
	Oid			schema = get_namespace_oid("topgun", true);
	Oid			table;

	if (!OidIsValid(extension) || !OidIsValid(schema))
		return InvalidOid;
	table = get_relname_relid(names[TG_CAT_LOCAL_NODE], schema);
	if (!OidIsValid(table) || getExtensionOfObject(RelationRelationId, table) != extension)
		return InvalidOid;
	return schema;
}

static Oid
look_up(TgCatalog which)
{
	Oid			schema = extension_schema();
	char		buf[NAMEDATALEN];
	const char *name = names[which];

	if (!OidIsValid(schema))
		return InvalidOid;
	if (which < TG_CAT_JOURNAL_STATE)
	{
		snprintf(buf, sizeof(buf), segment_names[which / TG_JOURNAL_SEGMENTS],
				 which % TG_JOURNAL_SEGMENTS);
		name = buf;
	}
	return get_relname_relid(name, schema);
}

/*
 * Does this database have the extension?
 */
bool
tg_catalog_exists(void)
{
	if (!OidIsValid(oids[TG_CAT_LOCAL_NODE]))
		oids[TG_CAT_LOCAL_NODE] = look_up(TG_CAT_LOCAL_NODE);
	return OidIsValid(oids[TG_CAT_LOCAL_NODE]);
}

/*
 * The OID of one of our tables or indexes.  Errors out if the extension is
 * not installed in this database.  Needs a transaction.
 */
Oid
tg_catalog_oid(TgCatalog which)
{
	Oid			oid = oids[which];

	Assert(IsTransactionState());
	if (likely(OidIsValid(oid)))
		return oid;

	oid = look_up(which);
	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"topgun\" is not installed in this database"),
				 errhint("Use CREATE EXTENSION topgun.")));
	return oids[which] = oid;
}

/*
 * Insert a row into one of our tables and its indexes.  The caller holds the
 * table open with ROW EXCLUSIVE.
 */
void
tg_catalog_insert(Relation rel, Datum *values, bool *nulls)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
}

/*
 * Insert a row into one of our tables that has one index, on plain columns and
 * not unique.  What CatalogTupleInsert() does to serve any table costs more
 * than the insertion.  The lock of the index is kept, as the caller's of the
 * table.
 */
void
tg_catalog_append(Relation rel, TgCatalog its_index, Datum *values, bool *nulls)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	Relation	index = index_open(tg_catalog_oid(its_index), RowExclusiveLock);
	IndexInfo  *info = BuildIndexInfo(index);
	Datum		key[INDEX_MAX_KEYS];
	bool		key_nulls[INDEX_MAX_KEYS];

	Assert(!info->ii_Unique && info->ii_Expressions == NIL && info->ii_Predicate == NIL);

	for (int i = 0; i < info->ii_NumIndexAttrs; i++)
	{
		int			column = info->ii_IndexAttrNumbers[i] - 1;

		key[i] = values[column];
		key_nulls[i] = nulls[column];
	}
	simple_heap_insert(rel, tuple);
	(void) index_insert(index, key, key_nulls, &tuple->t_self, rel, UNIQUE_CHECK_NO, false, info);
	index_close(index, NoLock);
	pfree(info);
	heap_freetuple(tuple);
}

/*
 * Listen to invalidations.  Call once per backend start, from _PG_init().
 */
void
tg_catalog_install(void)
{
	CacheRegisterRelcacheCallback(forget, (Datum) 0);
}
