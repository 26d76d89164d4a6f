/*-------------------------------------------------------------------------
 *
 * src/bulk/source_row.c
 *	  A row as the query for a source gives it.
 *
 * Its columns are those of the table as they travel, the stamp, and whether it
 * is a deletion; see tg_source_query().  In a slice it is a tuple that needs
 * nothing outside of it, since the source may have changed when it is merged.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "base/compat.h"
#include "bulk/source_row.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "row/stamp.h"
#include "utils/rel.h"

static TupleDesc
describe_result(TgTable *table, Relation rel)
{
	TupleDesc	desc = CreateTemplateTupleDesc(table->ncolumns + 2);
	Oid			stamp_type = TupleDescAttr(RelationGetDescr(rel), table->stamp_attno - 1)->atttypid;

	for (int i = 0; i < table->ncolumns; i++)
	{
		TgValueType *value = &table->columns[i].value;

		TupleDescInitEntry(desc, i + 1, NULL, value->type, value->typmod, 0);
	}
	TupleDescInitEntry(desc, table->ncolumns + 1, NULL, stamp_type, -1, 0);
	TupleDescInitEntry(desc, table->ncolumns + 2, NULL, BOOLOID, -1, 0);
	return desc;
}

static int *
find_key_columns(TgTable *table)
{
	int		   *columns = palloc(table->key->ncolumns * sizeof(int));

	for (int i = 0; i < table->key->ncolumns; i++)
	{
		columns[i] = 0;
		while (table->columns[columns[i]].attno != table->key->columns[i].attno)
			columns[i]++;
	}
	return columns;
}

/*
 * Get ready for rows of a source of this table, in the current memory context.
 * The relation stays open meanwhile.
 */
void
tg_source_row_init(TgSourceRow *source, Relation rel, TgStamp began)
{
	source->table = tg_table_get(rel);
	source->began = began;
	source->key_columns = find_key_columns(source->table);
	source->result = MakeSingleTupleTableSlot(describe_result(source->table, rel), &TTSOpsMinimalTuple);
	source->row = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
}

/*
 * Free what was allocated.
 */
void
tg_source_row_end(TgSourceRow *source)
{
	pfree(source->key_columns);
	ExecDropSingleTupleTableSlot(source->result);
	ExecDropSingleTupleTableSlot(source->row);
}

/*
 * Form the tuple anew, with the values that are stored elsewhere.
 */
static MinimalTuple
fetch_values(TupleTableSlot *result)
{
	TupleDesc	desc = result->tts_tupleDescriptor;
	Datum	   *values = palloc(desc->natts * sizeof(Datum));

	slot_getallattrs(result);
	for (int i = 0; i < desc->natts; i++)
	{
		values[i] = result->tts_values[i];
		if (!result->tts_isnull[i] && TupleDescAttr(desc, i)->attlen == -1 &&
			VARATT_IS_EXTERNAL(DatumGetPointer(values[i])))
			values[i] = PointerGetDatum(detoast_external_attr((struct varlena *) DatumGetPointer(values[i])));
	}
	return tg_form_minimal_tuple(desc, values, result->tts_isnull);
}

/*
 * The tuple of a result: in the current memory context, or the slot's own.
 */
MinimalTuple
tg_source_row_tuple(TupleTableSlot *result)
{
	bool		is_ours;
	MinimalTuple tuple = ExecFetchSlotMinimalTuple(result, &is_ours);

	return tuple->t_infomask & HEAP_HASEXTERNAL ? fetch_values(result) : tuple;
}

/*
 * Errors out if a result lacks a column of its key.
 */
void
tg_source_row_require_key(const TgSourceRow *source, TupleTableSlot *result)
{
	TgKeySpec  *key = source->table->key;

	for (int i = 0; i < key->ncolumns; i++)
	{
		if (slot_attisnull(result, source->key_columns[i] + 1))
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("null value in key column \"%s\" of the source",
							NameStr(TupleDescAttr(source->row->tts_tupleDescriptor,
												  key->columns[i].attno - 1)->attname))));
	}
}

/*
 * Put the columns of the source where the table has them.
 */
static void
take_columns(TgSourceRow *source, TupleTableSlot *result)
{
	TupleTableSlot *row = source->row;

	slot_getallattrs(result);
	ExecClearTuple(row);
	memset(row->tts_isnull, true, row->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < source->table->ncolumns; i++)
	{
		int			column = source->table->columns[i].attno - 1;

		row->tts_values[column] = result->tts_values[i];
		row->tts_isnull[column] = result->tts_isnull[i];
	}
	ExecStoreVirtualTuple(row);
}

/*
 * Append the key of a result to the buffer.  May use memory in the current
 * context.
 */
void
tg_source_row_key(TgSourceRow *source, TupleTableSlot *result, StringInfo key)
{
	take_columns(source, result);
	tg_key_write(source->table->key, source->row, key);
}

/*
 * What a tuple wants to be changed: key and payload are appended to the
 * buffers, and change->payload points to nothing yet, since its buffer may
 * move.  May use memory in the current context.
 */
void
tg_source_row_change(TgSourceRow *source, MinimalTuple tuple, TgChange *change, StringInfo key,
					 StringInfo payload)
{
	TupleTableSlot *result = ExecStoreMinimalTuple(tuple, source->result, false);
	int			n = source->table->ncolumns;
	int			start = payload->len;

	tg_source_row_key(source, result, key);
	change->stamp = result->tts_isnull[n] ? source->began : DatumGetTgStamp(result->tts_values[n]);
	change->kind = DatumGetBool(result->tts_values[n + 1]) ? TG_CHANGE_DELETE : TG_CHANGE_ROW;
	if (change->kind == TG_CHANGE_DELETE)
		appendBinaryStringInfo(payload, key->data, key->len);
	else
		tg_row_write(source->table, source->row, payload);
	change->payload = tg_bytes(NULL, payload->len - start);
}
