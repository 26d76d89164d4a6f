/*-------------------------------------------------------------------------
 *
 * src/row/key_order.c
 *	  SQL that reads a table in the order of its primary key.
 *
 * The order is that of the key's index, with its operators and collations:
 * what those of the same names in the search path would do is another matter.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "base/sql.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "row/key_order.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/* The key being put into words. */
typedef struct KeyText
{
	StringInfoData query;
	Relation	rel;
	Relation	index;
	TgKeySpec  *key;
} KeyText;

/*
 * An expression of the type of a key column, as the index takes it.
 */
static void
append_as_indexed(KeyText *text, const char *expression, int column)
{
	Oid			type = text->key->columns[column].value.type;
	Oid			input = text->index->rd_opcintype[column];
	Oid			collation = text->index->rd_indcollation[column];

	if (input == type || IsPolymorphicType(input))
		appendStringInfoString(&text->query, expression);
	else
		appendStringInfo(&text->query, "CAST(%s AS %s)", expression,
						 format_type_extended(input, -1, FORMAT_TYPE_TYPEMOD_GIVEN |
											  FORMAT_TYPE_FORCE_QUALIFY));
	if (OidIsValid(collation))
		appendStringInfo(&text->query, " COLLATE %s", generate_collation_name(collation));
}

static void
append_column(KeyText *text, int column)
{
	AttrNumber	attno = text->key->columns[column].attno;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(text->rel), attno - 1);

	append_as_indexed(text, psprintf("t.%s", quote_identifier(NameStr(att->attname))), column);
}

static void
append_operator(KeyText *text, StrategyNumber strategy, int column)
{
	Oid			type = text->index->rd_opcintype[column];
	Oid			op = get_opfamily_member(text->index->rd_opfamily[column], type, type, strategy);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(op));
	Form_pg_operator form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "missing operator %d for type %u in opfamily %u",
			 strategy, type, text->index->rd_opfamily[column]);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(&text->query, " OPERATOR(%s.%s)",
					 quote_identifier(get_namespace_name(form->oprnamespace)),
					 NameStr(form->oprname));
	ReleaseSysCache(tuple);
}

static void
append_conditions(KeyText *text, int nparams)
{
	for (int i = 0; i < nparams; i++)
	{
		appendStringInfoString(&text->query, i == 0 ? " WHERE " : " AND ");
		append_column(text, i);
		append_operator(text, i == nparams - 1 ? BTGreaterStrategyNumber : BTEqualStrategyNumber, i);
		appendStringInfoChar(&text->query, ' ');
		append_as_indexed(text, psprintf("$%d", i + 1), i);
	}
}

static void
append_order(KeyText *text)
{
	for (int i = 0; i < text->key->ncolumns; i++)
	{
		appendStringInfoString(&text->query, i == 0 ? " ORDER BY " : ", ");
		append_column(text, i);
		appendStringInfoString(&text->query, " USING");
		append_operator(text, BTLessStrategyNumber, i);
	}
}

/*
 * A query for those rows whose key has the values $1, $2, ... in its first
 * columns, except that the last of the nparams columns is greater; for all
 * rows if nparams is 0.  Its one column is the row, of the table's row type.
 * The index of the key can answer it without a sort.
 */
char *
tg_key_order_query(Relation rel, TgTable *table, int nparams)
{
	KeyText text = {
		.rel = rel,
		.index = index_open(table->key_index, AccessShareLock),
		.key = table->key
	};
	char	   *name = tg_sql_name(RelationGetRelid(rel));

	initStringInfo(&text.query);
	/* "t" alone would be a column of that name, if there is one */
	appendStringInfo(&text.query, "SELECT CAST(t.* AS %s) FROM %s%s AS t", name,
					 rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ", name);
	append_conditions(&text, nparams);
	append_order(&text);
	index_close(text.index, AccessShareLock);
	return text.query.data;
}

/*
 * The clause that sorts rows of "t" by their keys, where t is any relation
 * with key columns of the same names and types.
 */
char *
tg_key_order_clause(Relation rel, TgTable *table)
{
	KeyText text = {
		.rel = rel,
		.index = index_open(table->key_index, AccessShareLock),
		.key = table->key
	};

	initStringInfo(&text.query);
	append_order(&text);
	index_close(text.index, AccessShareLock);
	return text.query.data;
}
