/*-------------------------------------------------------------------------
 *
 * src/capture/restamp.c
 *	  A fresh stamp for a row that has waited too long with its own.
 *
 * A row gets its stamp before it is written.  An INSERT may then have to wait
 * for a transaction that deletes the key, and that tombstone is newer than the
 * row: every other node would throw the row away.  Or the old row of an UPDATE
 * comes from a dump and its stamp is ahead of our clock.  In such a case, rare
 * as it is, the row is updated once more, with a stamp that is new now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/sql.h"
#include "capture/restamp.h"
#include "catalog/pg_type.h"
#include "clock/node_clock.h"
#include "executor/spi.h"
#include "row/tombstone.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * The stamp of the key's tombstone if it is not older than a row's stamp, else
 * TG_NO_STAMP.  Looks at tombstones only if there can be such a one.
 */
TgStamp
tg_deleted_since(TgTable *table, TgBytes key, TgStamp stamp)
{
	Snapshot	snapshot;
	TgStamp		tombstone;

	if (!tg_tombstone_may_exceed(stamp))
		return TG_NO_STAMP;

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	tombstone = tg_tombstone_find(table, key, snapshot);
	UnregisterSnapshot(snapshot);
	return tombstone >= stamp ? tombstone : TG_NO_STAMP;
}

/*
 * Give a row that this command has written a stamp newer than "floor".  It is
 * an ordinary UPDATE, so that checks of foreign keys, which skip a row version
 * that was replaced, are queued for the new one; the capture trigger journals
 * it.  If something else has replaced the row meanwhile, that version has its
 * own stamp, and nothing happens here.
 */
void
tg_restamp(Relation rel, ItemPointer tid, TgStamp floor)
{
	TgSqlSession session;
	StringInfoData sql;
	Oid			types[] = {TIDOID};
	Datum		values[] = {PointerGetDatum(tid)};
	int			result;

	tg_clock_observe(floor);

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE ONLY %s SET %s = NULL WHERE ctid OPERATOR(pg_catalog.=) $1",
					 tg_sql_name(RelationGetRelid(rel)), TG_STAMP_COLUMN);

	/* the user that writes the row need not have the right to update it */
	tg_sql_begin(&session, rel->rd_rel->relowner);
	result = SPI_execute_with_args(sql.data, 1, types, values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
	tg_sql_end(&session);
	pfree(sql.data);
}
