/*-------------------------------------------------------------------------
 *
 * src/journal/read.c
 *	  Reading the journal in the order of its positions.
 *
 * A transaction's head lies in the segment that was current when it began to
 * write, so positions of neighbouring segments overlap: the reader merges the
 * index scans of all segments.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/error.h"
#include "journal/read.h"
#include "journal/segment.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of topgun.journal_N and topgun.journal_N_part. */
enum
{
	HEAD_POSITION = 1, HEAD_BATCH, HEAD_PARTS, HEAD_MARK, HEAD_MERGED_FROM, HEAD_ONLY_DELETES,
	HEAD_ADVANCE, HEAD_ENTRIES
};
enum
{
	PART_BATCH = 1, PART_NUMBER, PART_ENTRIES
};

typedef struct SegmentScan
{
	Relation	rel;
	Relation	index;
	SysScanDesc scan;
	HeapTuple	tuple;			/* the next head, or NULL */
	TgPosition	position;		/* of it */
} SegmentScan;

struct TgJournalReader
{
	TgCursor	after;
	TgPosition	horizon;
	Snapshot	snapshot;
	SegmentScan segments[TG_JOURNAL_SEGMENTS];
	SegmentScan *current;		/* whose head's pieces we are reading */
	TgPartReader *parts;		/* of that head, or NULL */
};

struct TgPartReader
{
	Relation	rel;
	Relation	index;
	SysScanDesc scan;
};

/*
 * A scan key on an index column, by strategy, with the column's own operator.
 */
static void
index_key(ScanKey key, Relation index, int column, StrategyNumber strategy, Datum value)
{
	Oid			type = index->rd_opcintype[column];
	Oid			op = get_opfamily_member(index->rd_opfamily[column], type, type, strategy);

	ScanKeyInit(key, index->rd_index->indkey.values[column], strategy, get_opcode(op), value);
}

static Datum
head_value(SegmentScan *segment, int attno)
{
	bool		isnull;

	return heap_getattr(segment->tuple, attno, RelationGetDescr(segment->rel), &isnull);
}

static TgBytes
bytes_of(Datum value)
{
	bytea	   *bytes = (bytea *) DatumGetPointer(value);

	/* the columns have storage PLAIN, so the bytes lie in the tuple */
	return tg_bytes_of_varlena(bytes);
}

static void
advance_segment(TgJournalReader *reader, SegmentScan *segment)
{
	segment->tuple = systable_getnext_ordered(segment->scan, ForwardScanDirection);
	if (segment->tuple == NULL)
		return;
	segment->position = DatumGetTgStamp(head_value(segment, HEAD_POSITION));
	if (segment->position > reader->horizon)
		segment->tuple = NULL;
}

static void
open_segment(TgJournalReader *reader, int number)
{
	SegmentScan *segment = &reader->segments[number];
	ScanKeyData key;

	segment->index = index_open(tg_catalog_oid(TG_CAT_JOURNAL_POSITION + number), AccessShareLock);
	index_key(&key, segment->index, 0,
			  reader->after.part == TG_WHOLE_POSITION ? BTGreaterStrategyNumber : BTGreaterEqualStrategyNumber,
			  TgStampGetDatum(reader->after.position));
	segment->scan = systable_beginscan_ordered(segment->rel, segment->index,
											   reader->snapshot, 1, &key);
	advance_segment(reader, segment);
}

/*
 * Start to read after the cursor, up to the horizon.  The snapshot must be
 * registered, and taken after the horizon.  Errors out with
 * ERRCODE_TG_JOURNAL_CUT if what follows the cursor is no longer there.  Locks
 * all segments with ACCESS SHARE until the end of the transaction.
 */
TgJournalReader *
tg_journal_open(TgCursor after, TgPosition horizon, Snapshot snapshot)
{
	TgJournalReader *reader = palloc0(sizeof(TgJournalReader));
	TgPosition	cut;

	reader->after = after;
	reader->horizon = horizon;
	reader->snapshot = snapshot;

	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
		reader->segments[i].rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL + i), AccessShareLock);

	cut = tg_segment_cut();
	if (after.position < cut || (after.position == cut && after.part != TG_WHOLE_POSITION))
		ereport(ERROR,
				(errcode(ERRCODE_TG_JOURNAL_CUT),
				 errmsg("the journal has been cut beyond the position asked for")));

	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
		open_segment(reader, i);
	return reader;
}

/*
 * The segment with the least next position, or NULL.
 */
static SegmentScan *
next_head(TgJournalReader *reader)
{
	SegmentScan *next = NULL;

	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
	{
		SegmentScan *segment = &reader->segments[i];

		if (segment->tuple != NULL && (next == NULL || segment->position < next->position))
			next = segment;
	}
	return next;
}

static void
start_head(TgJournalReader *reader, SegmentScan *segment)
{
	uint32		after = 0;

	reader->current = segment;
	if (DatumGetInt32(head_value(segment, HEAD_PARTS)) == 0)
		return;
	if (segment->position == reader->after.position)
		after = reader->after.part;
	reader->parts = tg_parts_open(segment - reader->segments,
								  DatumGetTgStamp(head_value(segment, HEAD_BATCH)),
								  after, reader->snapshot);
}

/*
 * The next piece, or false at the horizon.
 */
bool
tg_journal_next(TgJournalReader *reader, TgJournalPiece *piece)
{
	SegmentScan *segment;

	CHECK_FOR_INTERRUPTS();

	if (reader->current != NULL && reader->parts == NULL)
	{
		advance_segment(reader, reader->current);
		reader->current = NULL;
	}
	if (reader->current == NULL)
	{
		segment = next_head(reader);
		if (segment == NULL)
			return false;
		start_head(reader, segment);
	}

	segment = reader->current;
	memset(piece, 0, sizeof(*piece));
	piece->cursor.position = segment->position;
	piece->merged_from = DatumGetInt32(head_value(segment, HEAD_MERGED_FROM));
	piece->only_deletes = DatumGetBool(head_value(segment, HEAD_ONLY_DELETES));

	if (reader->parts != NULL)
	{
		if (tg_parts_next(reader->parts, &piece->cursor.part, &piece->entries))
			return true;
		tg_parts_close(reader->parts);
		reader->parts = NULL;
	}
	piece->cursor.part = TG_WHOLE_POSITION;
	piece->is_last = true;
	piece->mark = DatumGetTgStamp(head_value(segment, HEAD_MARK));
	piece->advance = bytes_of(head_value(segment, HEAD_ADVANCE));
	piece->entries = bytes_of(head_value(segment, HEAD_ENTRIES));
	return true;
}

/*
 * End of reading.  The locks stay.
 */
void
tg_journal_close(TgJournalReader *reader)
{
	if (reader->parts != NULL)
		tg_parts_close(reader->parts);
	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
	{
		SegmentScan *segment = &reader->segments[i];

		systable_endscan_ordered(segment->scan);
		index_close(segment->index, NoLock);
		table_close(segment->rel, NoLock);
	}
	pfree(reader);
}

/*
 * Read the parts of a batch with a number greater than "after".
 */
TgPartReader *
tg_parts_open(int segment, TgStamp batch, uint32 after, Snapshot snapshot)
{
	TgPartReader *reader = palloc(sizeof(TgPartReader));
	ScanKeyData keys[2];

	reader->rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL_PART + segment), AccessShareLock);
	reader->index = index_open(tg_catalog_oid(TG_CAT_JOURNAL_PART_BATCH + segment), AccessShareLock);
	index_key(&keys[0], reader->index, 0, BTEqualStrategyNumber, TgStampGetDatum(batch));
	index_key(&keys[1], reader->index, 1, BTGreaterStrategyNumber,
			  Int32GetDatum((int32) Min(after, (uint32) PG_INT32_MAX)));
	reader->scan = systable_beginscan_ordered(reader->rel, reader->index, snapshot, 2, keys);
	return reader;
}

/*
 * The next part, or false if there is none.  The entries are valid until the
 * next call.
 */
bool
tg_parts_next(TgPartReader *reader, uint32 *part, TgBytes *entries)
{
	HeapTuple	tuple = systable_getnext_ordered(reader->scan, ForwardScanDirection);
	TupleDesc	desc = RelationGetDescr(reader->rel);
	bool		isnull;

	if (tuple == NULL)
		return false;
	*part = DatumGetInt32(heap_getattr(tuple, PART_NUMBER, desc, &isnull));
	*entries = bytes_of(heap_getattr(tuple, PART_ENTRIES, desc, &isnull));
	return true;
}

/*
 * End of reading.  The lock stays.
 */
void
tg_parts_close(TgPartReader *reader)
{
	systable_endscan_ordered(reader->scan);
	index_close(reader->index, NoLock);
	table_close(reader->rel, NoLock);
	pfree(reader);
}

/*
 * Which share of a segment follows a position?  Rows are appended in the order
 * of their positions, about.
 */
static double
share_after(Relation rel, int number, TgPosition position, Snapshot snapshot)
{
	Relation	index = index_open(tg_catalog_oid(TG_CAT_JOURNAL_POSITION + number), AccessShareLock);
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	double		share = 0;

	index_key(&key, index, 0, BTGreaterStrategyNumber, TgStampGetDatum(position));
	scan = systable_beginscan_ordered(rel, index, snapshot, 1, &key);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	if (tuple != NULL && nblocks > 0)
		share = (nblocks - (double) ItemPointerGetBlockNumber(&tuple->t_self)) / nblocks;
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	return Max(share, 0);
}

/*
 * The size of what follows a position, about.
 */
int64
tg_journal_bytes_after(TgPosition position, Snapshot snapshot)
{
	double		bytes = 0;

	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
	{
		Relation	rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL + i), AccessShareLock);
		Relation	parts = table_open(tg_catalog_oid(TG_CAT_JOURNAL_PART + i), AccessShareLock);
		double		blocks = (double) RelationGetNumberOfBlocks(rel) + RelationGetNumberOfBlocks(parts);

		bytes += share_after(rel, i, position, snapshot) * blocks * BLCKSZ;
		table_close(parts, AccessShareLock);
		table_close(rel, AccessShareLock);
	}
	return bytes;
}

/*
 * A stamp column of the head with the greatest position in a segment.
 */
static TgStamp
last_of_segment(int number, int attno, Snapshot snapshot)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_JOURNAL + number), AccessShareLock);
	Relation	index = index_open(tg_catalog_oid(TG_CAT_JOURNAL_POSITION + number), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(rel, index, snapshot, 0, NULL);
	HeapTuple	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	TgStamp		stamp = TG_NO_STAMP;

	if (tuple != NULL)
	{
		bool		isnull;

		stamp = DatumGetTgStamp(heap_getattr(tuple, attno, RelationGetDescr(rel), &isnull));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return stamp;
}

static TgStamp
last_of_journal(int attno)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TgStamp		last = TG_NO_STAMP;

	for (int i = 0; i < TG_JOURNAL_SEGMENTS; i++)
		last = Max(last, last_of_segment(i, attno, snapshot));
	UnregisterSnapshot(snapshot);
	return last;
}

/*
 * A mark of the newest transactions in the journal, TG_NO_STAMP if there are
 * none.  A smaller one than the greatest is as true, and good enough.
 */
TgStamp
tg_journal_last_mark(void)
{
	return last_of_journal(HEAD_MARK);
}

/*
 * The greatest position in the journal, 0 if it is empty.
 */
TgPosition
tg_journal_last_position(void)
{
	return last_of_journal(HEAD_POSITION);
}
