/*-------------------------------------------------------------------------
 *
 * src/row/truncation.c
 *	  TRUNCATE as a stamp: topgun.truncation.
 *
 * One row for each table that was ever truncated: rows older than the stamp
 * are gone, whoever brings them.
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
#include "row/stamp.h"
#include "row/truncation.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	COLUMN_TABLE = 1, COLUMN_STAMP, COLUMNS = COLUMN_STAMP
};

/*
 * The row of a table as of now, or NULL; *stamp is TG_NO_STAMP then.
 */
static HeapTuple
find_row(Relation rel, TgTableId id, TgStamp *stamp)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, COLUMN_TABLE, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
	scan = systable_beginscan(rel, tg_catalog_oid(TG_CAT_TRUNCATION_PKEY), true,
							  snapshot, 1, &key);
	tuple = systable_getnext(scan);
	*stamp = TG_NO_STAMP;
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		tuple = heap_copytuple(tuple);
		*stamp = DatumGetTgStamp(heap_getattr(tuple, COLUMN_STAMP, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return tuple;
}

/*
 * Note that a table was truncated, unless a newer truncation is known.  The
 * caller holds a lock on the table that keeps others from truncating it.
 */
void
tg_truncation_write(TgTableId id, TgStamp stamp)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TRUNCATION), RowExclusiveLock);
	TgStamp		before;
	HeapTuple	old = find_row(rel, id, &before);
	HeapTuple	row;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};

	values[COLUMN_TABLE - 1] = Int32GetDatum(id);
	values[COLUMN_STAMP - 1] = TgStampGetDatum(stamp);
	row = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	if (!HeapTupleIsValid(old))
		CatalogTupleInsert(rel, row);
	else if (before < stamp)
		CatalogTupleUpdate(rel, &old->t_self, row);

	/* whoever looks next in this command has to see it */
	CommandCounterIncrement();
	table_close(rel, RowExclusiveLock);
}

/*
 * The stamp of a table's last truncation, as of now and not as of the
 * transaction's snapshot; TG_NO_STAMP if there was none.
 */
TgStamp
tg_truncation_find(TgTableId id)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TRUNCATION), AccessShareLock);
	TgStamp		stamp;

	(void) find_row(rel, id, &stamp);
	table_close(rel, AccessShareLock);
	return stamp;
}
