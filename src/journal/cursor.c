/*-------------------------------------------------------------------------
 *
 * src/journal/cursor.c
 *	  How far we have read each peer's journal: topgun.peer_cursor.
 *
 * Each peer's puller writes its own row, so they never wait for each other;
 * the vector of this node is the greatest of all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/catalog.h"
#include "catalog/indexing.h"
#include "journal/cursor.h"
#include "journal/mark.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	COLUMN_PEER = 1, COLUMN_POSITION, COLUMN_PART, COLUMN_VECTOR, COLUMNS = COLUMN_VECTOR
};

static SysScanDesc
begin_scan(Relation rel, TgNodeId peer, Snapshot snapshot)
{
	ScanKeyData key;

	ScanKeyInit(&key, COLUMN_PEER, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(peer));
	return systable_beginscan(rel, tg_catalog_oid(TG_CAT_PEER_CURSOR_PKEY), true, snapshot, 1, &key);
}

static TgVector *
vector_of(Relation rel, HeapTuple tuple)
{
	bool		isnull;
	bytea	   *bytes = DatumGetByteaPP(heap_getattr(tuple, COLUMN_VECTOR, RelationGetDescr(rel), &isnull));
	TgReader	reader;
	TgVector   *vector;

	tg_reader_init(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	vector = tg_vector_read(&reader);
	if (vector == NULL)
		elog(ERROR, "broken vector in topgun.peer_cursor");
	return vector;
}

/*
 * How far we are with a peer; at the very beginning if we have never read it.
 */
void
tg_peer_cursor_load(TgNodeId peer, TgPeerCursor *cursor)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_PEER_CURSOR), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = begin_scan(rel, peer, snapshot);
	HeapTuple	tuple = systable_getnext(scan);

	cursor->peer = peer;
	cursor->cursor = tg_cursor_after(0);
	if (tuple == NULL)
		cursor->vector = tg_vector_create();
	else
	{
		bool		isnull;
		Datum		position = heap_getattr(tuple, COLUMN_POSITION, desc, &isnull);

		if (!isnull)
			cursor->cursor.position = DatumGetTgStamp(position);
		cursor->cursor.part = (uint32) DatumGetInt64(heap_getattr(tuple, COLUMN_PART, desc, &isnull));
		cursor->vector = vector_of(rel, tuple);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
}

/*
 * Store how far we are, in the transaction that merges up to there.
 */
void
tg_peer_cursor_save(const TgPeerCursor *cursor)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_PEER_CURSOR), RowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = begin_scan(rel, cursor->peer, snapshot);
	HeapTuple	old = systable_getnext(scan);
	HeapTuple	new;
	StringInfoData vector;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};

	initStringInfo(&vector);
	tg_vector_write(&vector, cursor->vector);
	values[COLUMN_PEER - 1] = Int32GetDatum(cursor->peer);
	values[COLUMN_POSITION - 1] = TgStampGetDatum(cursor->cursor.position);
	nulls[COLUMN_POSITION - 1] = cursor->cursor.position == 0;
	values[COLUMN_PART - 1] = Int64GetDatum(cursor->cursor.part);
	values[COLUMN_VECTOR - 1] = PointerGetDatum(cstring_to_text_with_len(vector.data, vector.len));
	new = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	if (old == NULL)
		CatalogTupleInsert(rel, new);
	else
		CatalogTupleUpdate(rel, &old->t_self, new);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, RowExclusiveLock);
}

/*
 * What this node has merged, from whichever peer.
 */
TgVector *
tg_peer_cursor_vector(void)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_PEER_CURSOR), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	TgVector   *vector = tg_vector_create();
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
		(void) tg_vector_merge(vector, vector_of(rel, tuple));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return vector;
}

/*
 * What this node has: of others what it has merged, of its own what is no
 * longer in flight.
 */
TgVector *
tg_own_vector(TgNodeId self)
{
	TgVector   *vector = tg_peer_cursor_vector();

	(void) tg_vector_raise(vector, self, tg_mark_for_journal(self));
	return vector;
}
