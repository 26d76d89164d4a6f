/*-------------------------------------------------------------------------
 *
 * src/transport/copy_progress.c
 *	  How far the copy of a table has come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "executor/spi.h"
#include "transport/copy_progress.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define FLAG_JOIN		1
#define FLAG_EMPTY		2

/*
 * Take the bytes of tg_copy_progress_write() apart; data = NULL is a copy that
 * has not begun.
 */
TgCopyProgress
tg_copy_progress_read(TgBytes bytes)
{
	TgCopyProgress progress = {0};
	TgReader	reader;
	uint8		flags;

	if (bytes.data == NULL)
		return progress;
	tg_reader_init(&reader, bytes.data, bytes.len);
	for (int left = tg_read_u16(&reader); left > 0 && tg_reader_ok(&reader); left--)
		progress.done = bms_add_member(progress.done, tg_read_u16(&reader));
	flags = tg_read_u8(&reader);
	progress.is_join = (flags & FLAG_JOIN) != 0;
	progress.was_empty = (flags & FLAG_EMPTY) != 0;
	progress.copy = tg_read_u64(&reader);
	progress.place.after.len = tg_reader_left(&reader);
	progress.place.after.data = tg_read_bytes(&reader, progress.place.after.len);
	if (!tg_reader_ok(&reader))
		elog(ERROR, "the progress of a copy is broken");
	return progress;
}

/*
 * Mirrors tg_copy_progress_read(), in the current memory context.
 */
TgBytes
tg_copy_progress_write(const TgCopyProgress *progress)
{
	StringInfoData buf;
	int			node = -1;

	initStringInfo(&buf);
	tg_write_u16(&buf, bms_num_members(progress->done));
	while ((node = bms_next_member(progress->done, node)) >= 0)
		tg_write_u16(&buf, node);
	tg_write_u8(&buf, (progress->is_join ? FLAG_JOIN : 0) | (progress->was_empty ? FLAG_EMPTY : 0));
	tg_write_u64(&buf, progress->copy);
	if (progress->place.after.len > 0)
		tg_write_bytes(&buf, progress->place.after.data, progress->place.after.len);
	return tg_bytes_of_buf(&buf);
}

static char *
key_literal(TgBytes key)
{
	char	   *hex;

	if (key.len == 0)
		return "NULL";
	hex = palloc(2 * key.len + 1);
	hex[hex_encode(key.data, key.len, hex)] = '\0';
	return psprintf("pg_catalog.decode('%s', 'hex')", hex);
}

/*
 * Note the ranges of a copy that begins: one more than there are bounds.
 */
void
tg_ranges_put(TgTableId table, TgStamp copy, const TgBytes *bounds, int nbounds)
{
	static const TgBytes none = {NULL, 0};
	TgSqlSession session;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	for (int i = 0; i <= nbounds; i++)
		(void) tg_sql_run("INSERT INTO topgun.copy_range VALUES (%d, " INT64_FORMAT ", %d, %s, %s)",
						  table, (int64) copy, i,
						  key_literal(i > 0 ? bounds[i - 1] : none),
						  key_literal(i < nbounds ? bounds[i] : none));
	tg_sql_end(&session);
}

/*
 * The numbers of the ranges that are still to be copied, in order.
 */
List *
tg_ranges_left(TgTableId table, TgStamp copy)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *numbers = NIL;
	TgSqlSession session;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("SELECT number FROM topgun.copy_range "
					  "WHERE table_id = %d AND copy = " INT64_FORMAT " ORDER BY number",
					  table, (int64) copy);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		MemoryContext old = MemoryContextSwitchTo(caller);

		numbers = lappend_int(numbers, DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i],
																   SPI_tuptable->tupdesc, 1, &isnull)));
		MemoryContextSwitchTo(old);
	}
	tg_sql_end(&session);
	return numbers;
}

static TgBytes
key_column(int column, MemoryContext context)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
	MemoryContext old;
	TgBytes		key = {NULL, 0};

	if (isnull)
		return key;
	old = MemoryContextSwitchTo(context);
	key = tg_bytes_of_varlena(DatumGetByteaPCopy(value));
	MemoryContextSwitchTo(old);
	return key;
}

/*
 * A range that is still to be copied, in the current memory context.  False if
 * it is not.
 */
bool
tg_range_find(TgTableId table, TgStamp copy, int number, TgKeyRange *range)
{
	MemoryContext caller = CurrentMemoryContext;
	TgSqlSession session;
	bool		found;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	found = tg_sql_run("SELECT after, upto FROM topgun.copy_range "
					   "WHERE table_id = %d AND copy = " INT64_FORMAT " AND number = %d",
					   table, (int64) copy, number) > 0;
	if (found)
	{
		range->after = key_column(1, caller);
		range->upto = key_column(2, caller);
	}
	tg_sql_end(&session);
	return found;
}

/*
 * The range is copied, if this transaction commits.  False if it was no longer
 * to be copied.
 */
bool
tg_range_done(TgTableId table, TgStamp copy, int number)
{
	TgSqlSession session;
	bool		found;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	found = tg_sql_run("DELETE FROM topgun.copy_range "
					   "WHERE table_id = %d AND copy = " INT64_FORMAT " AND number = %d",
					   table, (int64) copy, number) > 0;
	tg_sql_end(&session);
	return found;
}

/*
 * No copy of the table has ranges any more.
 */
void
tg_ranges_forget(TgTableId table)
{
	TgSqlSession session;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("DELETE FROM topgun.copy_range WHERE table_id = %d", table);
	tg_sql_end(&session);
}
