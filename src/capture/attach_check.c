/*-------------------------------------------------------------------------
 *
 * src/capture/attach_check.c
 *	  Which tables can be replicated?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "base/sql.h"
#include "capture/attach_check.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "row/table.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static Oid
stamp_type(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("stamp"),
						   ObjectIdGetDatum(get_namespace_oid("topgun", false)));
}

/*
 * Errors out unless the relation is an ordinary table or the root of a
 * partitioned one.
 */
void
tg_attach_require_whole_table(Relation rel)
{
	char		kind = rel->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
				 errdetail_relkind_not_supported(kind),
				 errhint("Ordinary and partitioned tables can be replicated.")));

	if (rel->rd_rel->relispartition)
	{
		List	   *ancestors = get_partition_ancestors(RelationGetRelid(rel));

		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(rel)),
				 errhint("Name the root of the partitioned table, %s.",
						 tg_sql_name(llast_oid(ancestors)))));
	}
}

static void
refuse_place(Relation rel)
{
	const char *schema = get_namespace_name(RelationGetNamespace(rel));

	if (IsSystemRelation(rel) || strcmp(schema, "topgun") == 0 ||
		strcmp(schema, "topgun_internal") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table \"%s\" belongs to the system or to topgun", RelationGetRelationName(rel)),
				 errhint("Tables of users can be replicated.")));
}

static void
refuse_inheritance(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		return;
	if (has_superclass(relid) || find_inheritance_children(relid, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is part of an inheritance tree", RelationGetRelationName(rel)),
				 errhint("Of tables with children, only partitioned ones can be replicated.")));
}

static void
require_persistence(Relation rel)
{
	char		persistence = rel->rd_rel->relpersistence;

	if (persistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is %s", RelationGetRelationName(rel),
						persistence == RELPERSISTENCE_TEMP ? "temporary" : "unlogged"),
				 errhint("A replicated table must be there after the session, and after a crash.")));
}

static void
require_good_partitions(Relation rel)
{
	List	   *relids = find_all_inheritors(RelationGetRelid(rel), AccessExclusiveLock, NULL);
	ListCell   *cell;

	foreach(cell, relids)
	{
		Relation	part = table_open(lfirst_oid(cell), NoLock);

		if (part->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("partition \"%s\" is a foreign table", RelationGetRelationName(part)),
					 errhint("All partitions of a replicated table must be local: detach this one.")));
		require_persistence(part);
		table_close(part, NoLock);
	}
}

static bool
has_primary_key(Relation rel)
{
	bool		found = false;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= index->rd_index->indisprimary;
		index_close(index, AccessShareLock);
	}
	return found;
}

static void
require_key(Relation rel)
{
	if (OidIsValid(tg_key_index(rel)))
		return;

	if (!has_primary_key(rel))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no primary key", RelationGetRelationName(rel)),
				 errhint("Rows are known to other nodes by their primary key: add one with ALTER TABLE %s ADD PRIMARY KEY (..).",
						 tg_sql_name(RelationGetRelid(rel)))));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the primary key of table \"%s\" is deferrable, not valid or no btree index",
					RelationGetRelationName(rel)),
			 errhint("It decides which of two concurrent inserts comes first, so it must check each row at once.")));
}

static void
require_columns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || att->attgenerated)
			continue;
		if (strcmp(NameStr(att->attname), TG_STAMP_COLUMN) == 0)
		{
			if (att->atttypid == stamp_type())
				continue;
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("table \"%s\" has a column \"%s\" of its own",
							RelationGetRelationName(rel), TG_STAMP_COLUMN),
					 errhint("Rename it: the versions of the rows go into a column of this name.")));
		}
		if (!tg_value_type_is_portable(att->atttypid))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of table \"%s\" has type %s, which has no binary send and receive functions",
							NameStr(att->attname), RelationGetRelationName(rel),
							format_type_be(att->atttypid)),
					 errhint("Values travel between nodes in binary form: use another type.")));
	}
}

/*
 * Errors out unless a user's table can be replicated: it has a primary key
 * that can serve, all values can be sent, no row can vanish by itself.
 */
void
tg_attach_require_suitable(Relation rel)
{
	refuse_place(rel);
	require_persistence(rel);
	refuse_inheritance(rel);
	require_good_partitions(rel);
	require_columns(rel);
	require_key(rel);
}

/*
 * Does the table have the column for stamps already?  A restored one does.
 */
bool
tg_attach_has_stamp_column(Relation rel)
{
	return get_attnum(RelationGetRelid(rel), TG_STAMP_COLUMN) != InvalidAttrNumber;
}
