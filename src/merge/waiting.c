/*-------------------------------------------------------------------------
 *
 * src/merge/waiting.c
 *	  Which rows are in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "merge/quarantine.h"
#include "merge/waiting.h"
#include "row/stamp.h"
#include "utils/builtins.h"

static TgWaiting
read_row(HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	TgWaiting	waiting = {
		.table = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull)),
		.is_doubtful = DatumGetBool(SPI_getbinval(row, desc, 4, &isnull)),
		.bytes = DatumGetInt32(SPI_getbinval(row, desc, 5, &isnull))
	};
	Datum		stamp = SPI_getbinval(row, desc, 3, &isnull);

	waiting.stamp = isnull ? TG_NO_STAMP : DatumGetTgStamp(stamp);
	waiting.key = tg_bytes_of_varlena(DatumGetByteaPCopy(SPI_getbinval(row, desc, 2, &isnull)));
	return waiting;
}

/*
 * The rows that a query finds, in the current memory context.
 */
static TgWaitingList
list_rows(const char *query, int nargs, Oid *types, Datum *values, const char *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	TgSqlSession session;
	TgWaitingList list;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	if (SPI_execute_with_args(query, nargs, types, values, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read topgun.quarantine");
	old = MemoryContextSwitchTo(context);
	list.nrows = (int) SPI_processed;
	list.rows = palloc_extended(Max(list.nrows, 1) * sizeof(TgWaiting), MCXT_ALLOC_HUGE);
	for (int i = 0; i < list.nrows; i++)
		list.rows[i] = read_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	MemoryContextSwitchTo(old);
	tg_sql_end(&session);
	return list;
}

/*
 * The rows that are to be tried now, sorted by table, in each table those in
 * doubt last: those that have waited long enough, the longer the more often
 * they have failed.  Those that unique values are in the way of come together,
 * so that they can exchange them.  Not more at once than fit into memory.
 */
TgWaitingList
tg_waiting_due(void)
{
	TgWaitingList none = {NULL, 0};

	if (tg_quarantine_is_empty())
		return none;
	return list_rows("WITH waiting AS ("
					 " SELECT table_id, key, stamp, octet_length(payload) AS bytes, sqlstate = '23505' AS is_unique,"
					 " sqlstate = 'TG010' AS is_doubtful,"
					 " now() > last_try + least(interval '2 s' * 2 ^ least(tries, 10), interval '5 min') AS is_due"
					 " FROM topgun.quarantine), "
					 "grouped AS ("
					 " SELECT *, bool_or(is_due AND is_unique) OVER (PARTITION BY table_id) AS is_unique_due"
					 " FROM waiting), "
					 "summed AS ("
					 " SELECT *, sum(bytes) OVER (ORDER BY table_id, stamp NULLS FIRST, key) - bytes AS bytes_before"
					 " FROM grouped WHERE is_due OR (is_unique AND is_unique_due)) "
					 "SELECT table_id, key, stamp, is_doubtful, bytes FROM summed"
					 " WHERE bytes_before < " CppAsString2(TG_WAITING_GROUP_BYTES) " "
					 "ORDER BY table_id, is_doubtful, stamp NULLS FIRST, key LIMIT 10000",
					 0, NULL, NULL, NULL);
}

/*
 * The rows of a table, 0 for all, with a key, NULL for all, in the same order.
 */
TgWaitingList
tg_waiting_of(TgTableId table, const TgBytes *key)
{
	Oid			types[] = {INT4OID, BYTEAOID};
	Datum		values[] = {Int32GetDatum(table), (Datum) 0};
	char		nulls[] = {table == 0 ? 'n' : ' ', key == NULL ? 'n' : ' ', '\0'};

	if (key != NULL)
		values[1] = PointerGetDatum(cstring_to_text_with_len(key->data, key->len));
	return list_rows("SELECT table_id, key, stamp, sqlstate = 'TG010' AS is_doubtful, octet_length(payload) "
					 "FROM topgun.quarantine "
					 "WHERE ($1 IS NULL OR table_id = $1) AND ($2 IS NULL OR key = $2) "
					 "ORDER BY table_id, is_doubtful, stamp NULLS FIRST, key",
					 lengthof(types), types, values, nulls);
}
