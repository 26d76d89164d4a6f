/*-------------------------------------------------------------------------
 *
 * src/digest/tree_store.c
 *	  The trees on disk: topgun.merkle_tree and topgun.merkle_leaf.
 *
 * Whoever writes here holds the fold lock, so nobody else does.  What cannot
 * be read counts as empty, with a warning: the tree is then wrong, and the
 * next rebuild puts it right; an error would stop the fold, and with it the
 * cut of the journal, for ever.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/indexing.h"
#include "digest/tree_store.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of topgun.merkle_tree and topgun.merkle_leaf. */
enum
{
	TREE_TABLE = 1, TREE_ROOT, TREE_ROWS, TREE_GROUPS, TREE_COLUMNS = TREE_GROUPS
};
enum
{
	LEAF_TABLE = 1, LEAF_GROUP, LEAF_LEAVES, LEAF_COLUMNS = LEAF_LEAVES
};

/* A tree that is being written. */
typedef struct Store
{
	TgTableId	table;
	Snapshot	snapshot;		/* of what was there before */
	Relation	leaf_rel;
	CatalogIndexState leaf_indexes;
	TgTreeHead	head;			/* as it shall be */
} Store;

static SysScanDesc
scan_tree(Relation rel, TgTableId table, Snapshot snapshot)
{
	ScanKeyData key;

	ScanKeyInit(&key, TREE_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table));
	return systable_beginscan(rel, tg_catalog_oid(TG_CAT_MERKLE_TREE_PKEY), true,
							  snapshot, 1, &key);
}

/*
 * The groups of a tree, or one of them, if its number is not negative.
 */
static SysScanDesc
scan_groups(Relation rel, TgTableId table, int group, Snapshot snapshot)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], LEAF_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table));
	ScanKeyInit(&keys[1], LEAF_GROUP, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(group));
	return systable_beginscan(rel, tg_catalog_oid(TG_CAT_MERKLE_LEAF_PKEY), true,
							  snapshot, group < 0 ? 1 : 2, keys);
}

static void
init_reader(TgReader *reader, HeapTuple tuple, int attno, TupleDesc desc)
{
	bool		isnull;
	TgBytes		bytes = tg_bytes_of_varlena(DatumGetPointer(heap_getattr(tuple, attno, desc, &isnull)));

	tg_reader_init(reader, bytes.data, bytes.len);
}

static void
warn_of_damage(TgTableId table)
{
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the stored tree of table %d is damaged", table),
			 errhint("topgun.merkle_rebuild() derives it from the rows.")));
}

static void
read_head(HeapTuple tuple, TupleDesc desc, TgTableId table, TgTreeHead *head)
{
	TgReader	reader;
	bool		isnull;

	head->root = (uint64) DatumGetInt64(heap_getattr(tuple, TREE_ROOT, desc, &isnull));
	head->rows = DatumGetInt64(heap_getattr(tuple, TREE_ROWS, desc, &isnull));
	init_reader(&reader, tuple, TREE_GROUPS, desc);
	for (int i = 0; i < TG_TREE_GROUPS; i++)
		head->groups[i] = tg_read_u64(&reader);
	if (!tg_reader_ok(&reader) || !tg_reader_at_end(&reader))
		warn_of_damage(table);
}

static void
make_empty(TgTreeHead *head)
{
	uint64		empty = tg_group_digest(NULL);

	head->rows = 0;
	for (int i = 0; i < TG_TREE_GROUPS; i++)
		head->groups[i] = empty;
	head->root = tg_root_digest(head->groups);
}

/*
 * The upper levels of a table's tree as the snapshot sees them.
 */
void
tg_tree_load_head(TgTableId table, Snapshot snapshot, TgTreeHead *head)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_MERKLE_TREE), AccessShareLock);
	SysScanDesc scan = scan_tree(rel, table, snapshot);
	HeapTuple	tuple = systable_getnext(scan);

	if (tuple == NULL)
		make_empty(head);
	else
		read_head(tuple, RelationGetDescr(rel), table, head);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static bool
read_group(HeapTuple tuple, TupleDesc desc, TgTableId table, TgTreeGroup *group)
{
	TgReader	reader;

	init_reader(&reader, tuple, LEAF_LEAVES, desc);
	if (tg_group_read(&reader, group) && tg_reader_at_end(&reader))
		return true;
	warn_of_damage(table);
	memset(group, 0, sizeof(*group));
	return false;
}

/*
 * The leaves of one group; false, and empty ones, if it has no rows.
 */
bool
tg_tree_load_group(TgTableId table, int group, Snapshot snapshot, TgTreeGroup *leaves)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_MERKLE_LEAF), AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	Assert(group >= 0 && group < TG_TREE_GROUPS);
	scan = scan_groups(rel, table, group, snapshot);
	tuple = systable_getnext(scan);
	found = tuple != NULL && read_group(tuple, RelationGetDescr(rel), table, leaves);
	if (!found)
		memset(leaves, 0, sizeof(*leaves));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * A table's tree with all its leaves, in the current memory context.
 */
TgTree *
tg_tree_load(TgTableId table, Snapshot snapshot)
{
	TgTree	   *tree = tg_tree_create();
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_MERKLE_LEAF), AccessShareLock);
	SysScanDesc scan = scan_groups(rel, table, -1, snapshot);
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		bool		isnull;
		int			number = DatumGetInt32(heap_getattr(tuple, LEAF_GROUP,
														RelationGetDescr(rel), &isnull));

		if (number < 0 || number >= TG_TREE_GROUPS)
		{
			warn_of_damage(table);
			continue;
		}
		tree->groups[number] = MemoryContextAlloc(tree->context, sizeof(TgTreeGroup));
		(void) read_group(tuple, RelationGetDescr(rel), table, tree->groups[number]);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tree;
}

static void
begin_store(Store *store, TgTableId table)
{
	store->table = table;
	store->snapshot = RegisterSnapshot(GetLatestSnapshot());
	store->leaf_rel = table_open(tg_catalog_oid(TG_CAT_MERKLE_LEAF), RowExclusiveLock);
	store->leaf_indexes = CatalogOpenIndexes(store->leaf_rel);
}

static Datum
bytea_of(const void *data, Size len)
{
	return PointerGetDatum(cstring_to_text_with_len(data, len));
}

static HeapTuple
form_group(Store *store, int number, const TgTreeGroup *group)
{
	StringInfoData buf;
	Datum		values[LEAF_COLUMNS];
	bool		nulls[LEAF_COLUMNS] = {0};
	HeapTuple	tuple;

	initStringInfo(&buf);
	tg_group_write(&buf, group);
	values[LEAF_TABLE - 1] = Int32GetDatum(store->table);
	values[LEAF_GROUP - 1] = Int32GetDatum(number);
	values[LEAF_LEAVES - 1] = bytea_of(buf.data, buf.len);
	tuple = heap_form_tuple(RelationGetDescr(store->leaf_rel), values, nulls);
	pfree(DatumGetPointer(values[LEAF_LEAVES - 1]));
	pfree(buf.data);
	return tuple;
}

/*
 * Store the leaves of a group, which may be empty, and note its digest.
 */
static void
store_group(Store *store, int number, const TgTreeGroup *group)
{
	SysScanDesc scan = scan_groups(store->leaf_rel, store->table, number, store->snapshot);
	HeapTuple	old = systable_getnext(scan);

	if (tg_group_is_empty(group))
	{
		if (old != NULL)
			CatalogTupleDelete(store->leaf_rel, &old->t_self);
	}
	else
	{
		HeapTuple	new = form_group(store, number, group);

		if (old == NULL)
			CatalogTupleInsertWithInfo(store->leaf_rel, new, store->leaf_indexes);
		else
			CatalogTupleUpdateWithInfo(store->leaf_rel, &old->t_self, new, store->leaf_indexes);
		heap_freetuple(new);
	}
	systable_endscan(scan);
	store->head.groups[number] = tg_group_digest(group);
}

static HeapTuple
form_head(Relation rel, TgTableId table, const TgTreeHead *head)
{
	StringInfoData buf;
	Datum		values[TREE_COLUMNS];
	bool		nulls[TREE_COLUMNS] = {0};
	HeapTuple	tuple;

	initStringInfo(&buf);
	for (int i = 0; i < TG_TREE_GROUPS; i++)
		tg_write_u64(&buf, head->groups[i]);
	values[TREE_TABLE - 1] = Int32GetDatum(table);
	values[TREE_ROOT - 1] = Int64GetDatum((int64) head->root);
	values[TREE_ROWS - 1] = Int64GetDatum(head->rows);
	values[TREE_GROUPS - 1] = bytea_of(buf.data, buf.len);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	pfree(DatumGetPointer(values[TREE_GROUPS - 1]));
	pfree(buf.data);
	return tuple;
}

static void
store_head(Store *store)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_MERKLE_TREE), RowExclusiveLock);
	SysScanDesc scan = scan_tree(rel, store->table, store->snapshot);
	HeapTuple	old = systable_getnext(scan);
	HeapTuple	new;

	store->head.root = tg_root_digest(store->head.groups);
	new = form_head(rel, store->table, &store->head);
	if (old == NULL)
		CatalogTupleInsert(rel, new);
	else
		CatalogTupleUpdate(rel, &old->t_self, new);
	heap_freetuple(new);
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

static void
end_store(Store *store)
{
	store_head(store);
	CatalogCloseIndexes(store->leaf_indexes);
	table_close(store->leaf_rel, RowExclusiveLock);
	UnregisterSnapshot(store->snapshot);
	CommandCounterIncrement();
}

/*
 * How many rows a difference adds; negative if it takes more away.
 */
static int64
rows_added(const TgTreeGroup *delta)
{
	int64		rows = 0;

	for (int i = 0; i < TG_GROUP_LEAVES; i++)
		rows += (int32) delta->leaves[i].rows;
	return rows;
}

/*
 * Apply a difference to the stored tree of a table, or, from_empty, to an
 * empty one that takes its place.  The fold lock must be held.
 */
void
tg_tree_apply(TgTableId table, const TgTree *delta, bool from_empty)
{
	Store		store;
	TgTreeGroup group;

	if (from_empty)
		tg_tree_forget(table);
	begin_store(&store, table);
	tg_tree_load_head(table, store.snapshot, &store.head);
	for (int i = 0; i < TG_TREE_GROUPS; i++)
	{
		if (tg_group_is_empty(delta->groups[i]))
			continue;
		(void) tg_tree_load_group(table, i, store.snapshot, &group);
		tg_group_add(&group, delta->groups[i]);
		store_group(&store, i, &group);
		store.head.rows += rows_added(delta->groups[i]);
	}
	end_store(&store);
}

static int
count_differing(const TgTree *a, const TgTree *b, int group)
{
	int			differing = 0;

	for (uint32 i = 0; i < TG_GROUP_LEAVES; i++)
	{
		TgLeafDigest left = tg_tree_leaf(a, group * TG_GROUP_LEAVES + i);
		TgLeafDigest right = tg_tree_leaf(b, group * TG_GROUP_LEAVES + i);

		if (left.sum != right.sum || left.rows != right.rows)
			differing++;
	}
	return differing;
}

/*
 * Is there a group in the store that could not be read?
 */
static bool
is_damaged(const TgTree *stored, int group)
{
	return stored->groups[group] != NULL && tg_group_is_empty(stored->groups[group]);
}

/*
 * Store this tree in place of what is there.  The number of leaves that
 * differed; a difference above the leaves alone counts as one.  The fold lock
 * must be held.
 */
int
tg_tree_replace(TgTableId table, const TgTree *tree)
{
	Store		store;
	TgTreeHead	before;
	TgTree	   *stored;
	int			differing = 0;

	begin_store(&store, table);
	tg_tree_load_head(table, store.snapshot, &before);
	stored = tg_tree_load(table, store.snapshot);
	make_empty(&store.head);
	for (int i = 0; i < TG_TREE_GROUPS; i++)
	{
		int			leaves = count_differing(stored, tree, i);

		if (tree->groups[i] != NULL)
			store.head.rows += rows_added(tree->groups[i]);
		if (leaves > 0 || is_damaged(stored, i))
			store_group(&store, i, tree->groups[i]);
		else
			store.head.groups[i] = tg_group_digest(tree->groups[i]);
		differing += leaves;
	}
	end_store(&store);
	tg_tree_free(stored);

	if (differing == 0 && (before.root != store.head.root || before.rows != store.head.rows ||
						   memcmp(before.groups, store.head.groups, sizeof(before.groups)) != 0))
		return 1;
	return differing;
}

static void
delete_rows(Relation rel, SysScanDesc scan)
{
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
		CatalogTupleDelete(rel, &tuple->t_self);
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

/*
 * The table is no longer replicated here, or empty: it has no stored tree.
 * The fold lock must be held.
 */
void
tg_tree_forget(TgTableId table)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_MERKLE_LEAF), RowExclusiveLock);

	delete_rows(rel, scan_groups(rel, table, -1, snapshot));
	rel = table_open(tg_catalog_oid(TG_CAT_MERKLE_TREE), RowExclusiveLock);
	delete_rows(rel, scan_tree(rel, table, snapshot));
	UnregisterSnapshot(snapshot);
	CommandCounterIncrement();
}
