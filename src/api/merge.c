/*-------------------------------------------------------------------------
 *
 * src/api/merge.c
 *	  SQL functions that merge.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "base/error.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "merge/batch.h"
#include "merge/discard.h"
#include "merge/retry.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "row/target.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(topgun_merge_row);
PG_FUNCTION_INFO_V1(topgun_merge_truncate);
PG_FUNCTION_INFO_V1(topgun_retry_quarantine);
PG_FUNCTION_INFO_V1(topgun_discard_quarantine);

/*
 * Put the row into the form in which changes travel; the table's id.
 */
static TgTableId
row_to_change(HeapTupleHeader header, bool deleted, TgChange *change)
{
	Oid			relid = get_typ_typrelid(HeapTupleHeaderGetTypeId(header));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};
	Relation	rel;
	TgTable    *table;
	TupleTableSlot *slot;
	StringInfo	payload = makeStringInfo();

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("the row is not of a table's row type")));
	rel = relation_open(relid, AccessShareLock);
	if (tg_table_id(rel) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is not replicated", RelationGetRelationName(rel)),
				 errhint("Use topgun.add_table().")));
	table = tg_table_get(rel);
	slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsHeapTuple);
	ExecForceStoreHeapTuple(&tuple, slot, false);

	if (deleted)
		tg_key_write(table->key, slot, payload);
	else
		tg_row_write(table, slot, payload);
	change->kind = deleted ? TG_CHANGE_DELETE : TG_CHANGE_ROW;
	change->stamp = tg_slot_stamp(table, slot);
	change->payload = tg_bytes(payload->data, payload->len);
	ExecDropSingleTupleTableSlot(slot);
	relation_close(rel, NoLock);
	return table->id;
}

/*
 * Merge one change as if it had come from a peer: what became of it.
 */
static const char *
merge_one(TgTableId table, const TgChange *change)
{
	TgMerge		merge;

	tg_clock_observe(change->stamp);
	tg_merge_begin(&merge, 0, NULL);
	tg_merge_changes(&merge, table, change, 1);
	tg_merge_end(&merge);

	if (merge.counts.quarantined > 0)
		return "quarantined";
	if (merge.counts.applied > 0)
		return "applied";
	return merge.counts.older > 0 ? "older" : "equal";
}

/*
 * topgun_internal.merge_row(row, deleted): what became of it.
 */
Datum
topgun_merge_row(PG_FUNCTION_ARGS)
{
	TgChange	change;
	TgTableId	table;

	(void) tg_node_id_required();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || !type_is_rowtype(get_fn_expr_argtype(fcinfo->flinfo, 0)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a row of a replicated table is needed")));
	table = row_to_change(PG_GETARG_HEAPTUPLEHEADER(0), PG_GETARG_BOOL(1), &change);
	PG_RETURN_TEXT_P(cstring_to_text(merge_one(table, &change)));
}

/*
 * topgun_internal.merge_truncate(table, stamp): what became of it.
 */
Datum
topgun_merge_truncate(PG_FUNCTION_ARGS)
{
	TgChange	change = {.kind = TG_CHANGE_TRUNCATE,.stamp = PG_GETARG_TGSTAMP(1)};

	(void) tg_node_id_required();
	PG_RETURN_TEXT_P(cstring_to_text(merge_one(PG_GETARG_INT32(0), &change)));
}

/*
 * The replicated table that argument 0 names; 0 if that is NULL.
 */
static TgTableId
table_argument(FunctionCallInfo fcinfo)
{
	Relation	rel;
	TgTableId	table;

	if (PG_ARGISNULL(0))
		return 0;
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	table = tg_table_id(rel);
	if (table == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is not replicated", RelationGetRelationName(rel)),
				 errhint("See topgun.replicated_table.")));
	relation_close(rel, NoLock);
	return table;
}

/*
 * The key that argument 1 names; NULL for all.  A key is one of a table.
 */
static TgBytes *
key_argument(FunctionCallInfo fcinfo, TgTableId table)
{
	TgBytes    *key;

	if (PG_ARGISNULL(1))
		return NULL;
	if (table == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a key needs the table that it is of")));
	key = palloc(sizeof(TgBytes));
	*key = tg_bytes_of_varlena(PG_GETARG_BYTEA_PP(1));
	return key;
}

/*
 * Which rows in quarantine a function is called for, by its arguments.
 */
static void
read_selection(FunctionCallInfo fcinfo, const char *function, TgTableId *table, TgBytes **key)
{
	PreventCommandDuringRecovery(function);
	(void) tg_node_id_required();
	*table = table_argument(fcinfo);
	*key = key_argument(fcinfo, *table);
}

/*
 * topgun.retry_quarantine(rel, key): how many rows have left.
 */
Datum
topgun_retry_quarantine(PG_FUNCTION_ARGS)
{
	TgTableId	table;
	TgBytes    *key;

	read_selection(fcinfo, "topgun.retry_quarantine()", &table, &key);
	PG_RETURN_INT64(tg_retry_all(table, key));
}

/*
 * topgun.discard_quarantine(rel, key): how many rows there were.
 */
Datum
topgun_discard_quarantine(PG_FUNCTION_ARGS)
{
	TgTableId	table;
	TgBytes    *key;

	read_selection(fcinfo, "topgun.discard_quarantine()", &table, &key);
	if (table == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a table is needed")));
	PG_RETURN_INT64(tg_discard(table, key));
}
