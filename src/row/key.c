/*-------------------------------------------------------------------------
 *
 * src/row/key.c
 *	  Primary key values as bytes that mean the same on every node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "base/error.h"
#include "base/hash.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "row/key.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

/*
 * The index of a primary key that can serve: a valid btree that checks each
 * row at once.  InvalidOid if there is none.
 */
Oid
tg_key_index(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	Oid			result = InvalidOid;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisprimary && form->indisvalid && form->indimmediate &&
			index->rd_rel->relam == BTREE_AM_OID)
			result = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return result;
}

/*
 * Do equal values of the index column always have equal bytes?
 */
static bool
is_image_equal(Relation index, int column, const TgValueType *value)
{
	Oid			type = index->rd_opcintype[column];
	Oid			proc = get_opfamily_proc(index->rd_opfamily[column], type, type,
										 BTEQUALIMAGE_PROC);

	if (!OidIsValid(proc))
		return false;

	/* without a length, "a" and "a " are equal and both stored as they are */
	if (getBaseType(value->type) == BPCHAROID && value->typmod < 0)
		return false;

	return DatumGetBool(OidFunctionCall1Coll(proc, index->rd_indcollation[column],
											 ObjectIdGetDatum(type)));
}

/*
 * The hash function that agrees with an equality operator, InvalidOid if the
 * type or what it is made of has none.
 */
static Oid
hash_of_equality(Oid equality, Oid type)
{
	RegProcedure proc;

	if (!op_hashjoinable(equality, type) ||
		!OidIsValid(lookup_type_cache(type, TYPECACHE_HASH_PROC)->hash_proc) ||
		!get_op_hash_functions(equality, &proc, NULL))
		return InvalidOid;
	return proc;
}

static void
init_column(TgKeySpec *spec, Relation rel, Relation index, int i, MemoryContext context)
{
	TgKeyColumn *column = &spec->columns[i];
	AttrNumber	attno = index->rd_index->indkey.values[i];
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attno - 1);
	Oid			type = index->rd_opcintype[i];
	Oid			family = index->rd_opfamily[i];
	Oid			equality = get_opfamily_member(family, type, type, BTEqualStrategyNumber);
	Oid			at_least = get_opfamily_member(family, type, type, BTGreaterEqualStrategyNumber);
	int32		typmod = att->atttypmod;
	Oid			base_type = getBaseTypeAndTypmod(att->atttypid, &typmod);
	Oid			hash;

	if (!OidIsValid(equality) || !OidIsValid(at_least))
		elog(ERROR, "missing operators for type %u in opfamily %u", type, family);

	column->attno = attno;
	column->collation = index->rd_indcollation[i];

	/* the checks of a domain are its owner's code: not for who looks keys up */
	tg_value_type_init(&column->value, base_type, typmod, context);
	fmgr_info_cxt(get_opcode(equality), &column->equal, context);
	fmgr_info_cxt(get_opcode(at_least), &column->at_least, context);
	fmgr_info_cxt(get_opfamily_proc(family, type, type, BTORDER_PROC), &column->order, context);
	hash = hash_of_equality(equality, att->atttypid);
	if (OidIsValid(hash))
		fmgr_info_cxt(hash, &column->hash, context);
	column->image_equal = is_image_equal(index, i, &column->value);
	spec->image_equal &= column->image_equal;
	if (index->rd_indoption[i] & INDOPTION_DESC)
		spec->is_ascending = false;
}

/*
 * Describe the primary key of a relation, in the given context.  Errors out if
 * it has none that can serve, or one of a type that cannot be sent.
 */
TgKeySpec *
tg_key_spec_create(Relation rel, MemoryContext context)
{
	Oid			index_oid = tg_key_index(rel);
	Relation	index;
	TgKeySpec  *spec;
	int			ncolumns;

	if (!OidIsValid(index_oid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no primary key that is valid and not deferrable",
						RelationGetRelationName(rel)),
				 errhint("Rows of a replicated table are known by their primary key: add one.")));

	index = index_open(index_oid, AccessShareLock);
	ncolumns = IndexRelationGetNumberOfKeyAttributes(index);
	spec = MemoryContextAllocZero(context, offsetof(TgKeySpec, columns) +
								  ncolumns * sizeof(TgKeyColumn));
	spec->ncolumns = ncolumns;
	spec->image_equal = true;
	spec->is_ascending = true;
	for (int i = 0; i < ncolumns; i++)
		init_column(spec, rel, index, i, context);
	index_close(index, AccessShareLock);
	return spec;
}

/*
 * Append the key of a row to buf.  The slot may be of any kind.
 */
void
tg_key_write(TgKeySpec *spec, TupleTableSlot *slot, StringInfo buf)
{
	for (int i = 0; i < spec->ncolumns; i++)
	{
		TgKeyColumn *column = &spec->columns[i];
		bool		isnull;
		Datum		value = slot_getattr(slot, column->attno, &isnull);

		if (isnull)
			elog(ERROR, "null value in key column %d", column->attno);
		tg_value_write(&column->value, value, buf);
	}
}

/*
 * The values of a key, one for each key column, in the current memory context.
 * Errors out with ERRCODE_TG_PROTOCOL if the bytes are not those of a key.
 */
void
tg_key_read(TgKeySpec *spec, TgBytes key, Datum *values)
{
	TgBytes		bytes[INDEX_MAX_KEYS];
	TgReader	reader;

	tg_reader_init(&reader, key.data, key.len);
	for (int i = 0; i < spec->ncolumns; i++)
		bytes[i] = tg_read_counted(&reader);
	if (!tg_reader_ok(&reader) || !tg_reader_at_end(&reader))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("key of %u bytes does not have %d columns",
						key.len, spec->ncolumns)));

	for (int i = 0; i < spec->ncolumns; i++)
		values[i] = tg_value_read(&spec->columns[i].value, bytes[i]);
}

/*
 * Do these bytes stand for the same key?
 */
bool
tg_key_equal(TgKeySpec *spec, TgBytes a, TgBytes b)
{
	Datum		a_values[INDEX_MAX_KEYS];
	Datum		b_values[INDEX_MAX_KEYS];

	if (a.len == b.len && memcmp(a.data, b.data, a.len) == 0)
		return true;
	if (spec->image_equal)
		return false;

	tg_key_read(spec, a, a_values);
	tg_key_read(spec, b, b_values);
	for (int i = 0; i < spec->ncolumns; i++)
	{
		TgKeyColumn *column = &spec->columns[i];

		if (!DatumGetBool(FunctionCall2Coll(&column->equal, column->collation,
											a_values[i], b_values[i])))
			return false;
	}
	return true;
}

/*
 * A hash that is the same for keys that are the same.  It never leaves this
 * node: the functions behind it are the types' own.
 */
uint32
tg_key_hash(TgKeySpec *spec, TgBytes key)
{
	Datum		values[INDEX_MAX_KEYS];
	uint32		hash = 0;

	if (spec->image_equal)
		return hash_bytes((const unsigned char *) key.data, key.len);

	tg_key_read(spec, key, values);
	for (int i = 0; i < spec->ncolumns; i++)
	{
		TgKeyColumn *column = &spec->columns[i];

		if (OidIsValid(column->hash.fn_oid))
			hash = hash_combine(hash, DatumGetUInt32(FunctionCall1Coll(&column->hash,
																	   column->collation,
																	   values[i])));
	}
	return hash;
}

/*
 * A hash of key values that is the same for keys that are the same, on all
 * nodes of a cluster: of the bytes where equal values have equal bytes, else
 * of what the type's own hash function says.  The latter holds among servers
 * of one byte order and, under a nondeterministic collation, one version of
 * ICU; a node that says something else would send a client elsewhere, and that
 * is all.  A column whose type has no hash function has no part in it.
 */
uint64
tg_key_route_hash(TgKeySpec *spec, Datum *values)
{
	StringInfoData buf;
	uint64		hash;

	initStringInfo(&buf);
	for (int i = 0; i < spec->ncolumns; i++)
	{
		TgKeyColumn *column = &spec->columns[i];

		if (column->image_equal)
			tg_value_write(&column->value, values[i], &buf);
		else if (OidIsValid(column->hash.fn_oid))
			tg_write_u32(&buf, DatumGetUInt32(FunctionCall1Coll(&column->hash, column->collation,
																values[i])));
	}
	hash = tg_hash64(buf.data, buf.len);
	pfree(buf.data);
	return hash;
}
