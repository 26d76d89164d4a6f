/*-------------------------------------------------------------------------
 *
 * src/bulk/source.c
 *	  A relation that holds rows to be merged into a replicated table.
 *
 * It has the table's columns, by name, and the stamps of its rows; a column
 * that says which are deletions may be there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/sql.h"
#include "bulk/source.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "row/key_order.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

static void
require_right(Relation rel, AclMode mode)
{
	AclResult	result = pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), mode);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, get_relkind_objtype(rel->rd_rel->relkind), RelationGetRelationName(rel));
}

/*
 * A merge writes as the owner of the table, whom row security does not bind.
 */
static void
require_target(Relation rel)
{
	if (tg_table_id(rel) < TG_FIRST_USER_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not replicated", RelationGetRelationName(rel)),
				 errhint("Use topgun.add_table().")));
	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(rel)),
				 errhint("Name the partitioned table.")));
	require_right(rel, ACL_INSERT);
	require_right(rel, ACL_UPDATE);
	require_right(rel, ACL_DELETE);
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("row security of table \"%s\" would be bypassed", RelationGetRelationName(rel)),
				 errhint("Call topgun.merge_batch() as a role that row security does not bind.")));
}

static void
require_readable(Relation source)
{
	if (!RELKIND_HAS_STORAGE(source->rd_rel->relkind) &&
		source->rd_rel->relkind != RELKIND_VIEW &&
		source->rd_rel->relkind != RELKIND_FOREIGN_TABLE &&
		source->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or view", RelationGetRelationName(source))));

	/* rights on single columns may be enough: the query finds out */
	if (pg_attribute_aclcheck_all(RelationGetRelid(source), GetUserId(), ACL_SELECT,
								  ACLMASK_ANY) != ACLCHECK_OK)
		require_right(source, ACL_SELECT);
}

static Form_pg_attribute
find_column(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att;
	}
	return NULL;
}

/*
 * What the table would cut or round is another row, or even another key, than
 * the one that was compared: so the modifiers must be the same, too.
 */
static void
require_column(Relation source, const char *name, Oid type, int32 typmod)
{
	Form_pg_attribute att = find_column(source, name);

	if (att == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" has no column \"%s\"", RelationGetRelationName(source), name),
				 errhint("The source needs all columns of the table, and \"topgun_stamp\"; \"topgun_deleted\" is optional.")));
	if (att->atttypid != type || (typmod != -1 && att->atttypmod != typmod))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of \"%s\" is of type %s, not %s", name,
						RelationGetRelationName(source),
						format_type_with_typemod(att->atttypid, att->atttypmod),
						format_type_with_typemod(type, typmod)),
				 errhint("Let a view cast it.")));
}

static void
require_no_other_columns(Relation rel, Relation source)
{
	TupleDesc	desc = RelationGetDescr(source);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), TG_DELETED_COLUMN) == 0 ||
			find_column(rel, NameStr(att->attname)) != NULL)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(rel),
						NameStr(att->attname)),
				 errhint("Let a view leave it out.")));
	}
}

static Form_pg_attribute
column_of(const TgSource *source, AttrNumber attno)
{
	return TupleDescAttr(RelationGetDescr(source->rel), attno - 1);
}

static const char *
name_of(const TgSource *source, AttrNumber attno)
{
	return NameStr(column_of(source, attno)->attname);
}

static void
require_columns(TgSource *source)
{
	TgTable    *table = source->table;

	for (int i = 0; i < table->ncolumns; i++)
		require_column(source->source, name_of(source, table->columns[i].attno),
					   table->columns[i].value.type,
					   column_of(source, table->columns[i].attno)->atttypmod);
	require_column(source->source, TG_STAMP_COLUMN,
				   column_of(source, table->stamp_attno)->atttypid, -1);
	require_no_other_columns(source->rel, source->source);

	source->has_deleted = find_column(source->source, TG_DELETED_COLUMN) != NULL &&
		find_column(source->rel, TG_DELETED_COLUMN) == NULL;
	if (source->has_deleted)
		require_column(source->source, TG_DELETED_COLUMN, BOOLOID, -1);
}

/*
 * Open table and source with ACCESS SHARE.  Errors out if the rows of the one
 * cannot be merged into the other, or the current user has not the rights.
 * Mirrored by tg_source_close().
 */
void
tg_source_open(TgSource *source, Oid relid, Oid source_relid)
{
	if (relid == source_relid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a table cannot be merged into itself")));

	source->rel = relation_open(relid, AccessShareLock);
	require_target(source->rel);
	source->table = tg_table_get(source->rel);
	source->source = relation_open(source_relid, AccessShareLock);
	require_readable(source->source);
	require_columns(source);
}

/*
 * A query for all rows of the source in the order of the table's key: the
 * columns as they travel, the stamp, whether it is a deletion.
 */
char *
tg_source_query(const TgSource *source)
{
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT ");
	for (int i = 0; i < source->table->ncolumns; i++)
		appendStringInfo(&query, "t.%s, ",
						 quote_identifier(name_of(source, source->table->columns[i].attno)));
	appendStringInfo(&query, "t.%s, %s FROM %s AS t", TG_STAMP_COLUMN,
					 source->has_deleted ? "COALESCE(t." TG_DELETED_COLUMN ", false)" : "false",
					 tg_sql_name(RelationGetRelid(source->source)));
	appendStringInfoString(&query, tg_key_order_clause(source->rel, source->table));
	return query.data;
}

/*
 * Close both; the locks stay to the end of the transaction.
 */
void
tg_source_close(TgSource *source)
{
	relation_close(source->source, NoLock);
	relation_close(source->rel, NoLock);
}
