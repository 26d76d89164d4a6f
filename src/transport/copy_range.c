/*-------------------------------------------------------------------------
 *
 * src/transport/copy_range.c
 *	  The rows of a range of keys, for a peer that copies the table.
 *
 * They leave in pieces, each of them an answer with one section, so that
 * neither end holds more than a piece.  Rows are written where they are sent
 * from; numbers and lengths that come before what they count are filled in
 * afterwards.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/failpoint.h"
#include "bulk/row_scan.h"
#include "clock/identity.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "row/range_scan.h"
#include "transport/copy_range.h"
#include "transport/gate.h"
#include "transport/wire.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define PIECE_BYTES		(256 * 1024)	/* exceeded by less than one row */
#define PIECE_ROWS		2000

struct TgRangeAnswer
{
	TgAnswerHead head;
	TgSectionHead section;
	TgKeyRange	range;
	Relation	rel;
	Snapshot	snapshot;
	List	   *leaves;			/* that are still to be read */
	Relation	leaf;			/* that is being read, or NULL */
	TgRangeScan scan;			/* of it */
	MemoryContext context;		/* of all this */
	MemoryContext scratch;		/* reset for each row */
};

static void
require_replicated(Relation rel, const TgRangeRequest *request)
{
	if (rel == NULL || tg_table_id(rel) != request->table)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %d is not replicated on node %d", request->table, tg_node_id_required())));
}

static TgBytes
copy_bytes(TgBytes bytes)
{
	char	   *copy = palloc(bytes.len + 1);

	memcpy(copy, bytes.data, bytes.len);
	return tg_bytes(copy, bytes.len);
}

/*
 * Begin to answer a request, in a child of the current memory context, as the
 * active snapshot sees the table, which is locked with ACCESS SHARE until the
 * end of the transaction.
 */
TgRangeAnswer *
tg_range_answer_open(const TgRangeRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun range answer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgRangeAnswer *answer = palloc0(sizeof(TgRangeAnswer));
	Oid			relid = tg_table_relid(request->table);

	answer->context = context;
	answer->scratch = AllocSetContextCreate(context, "topgun range row", ALLOCSET_DEFAULT_SIZES);
	answer->rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	require_replicated(answer->rel, request);
	answer->head.sender = tg_speaker_to(&request->asker);
	answer->head.complete = true;
	answer->head.vector = tg_vector_create();
	answer->head.ntables = 1;
	answer->section.table = request->table;
	answer->section.fingerprint = tg_table_get(answer->rel)->fingerprint;
	answer->range.after = copy_bytes(request->range.after);
	answer->range.upto = copy_bytes(request->range.upto);
	answer->leaves = tg_scan_leaves(relid);
	answer->snapshot = RegisterSnapshot(GetActiveSnapshot());
	MemoryContextSwitchTo(old);
	return answer;
}

static void
end_leaf(TgRangeAnswer *answer)
{
	if (answer->leaf == NULL)
		return;
	tg_range_scan_end(&answer->scan);
	relation_close(answer->leaf, NoLock);
	answer->leaf = NULL;
}

static bool
begin_leaf(TgRangeAnswer *answer)
{
	MemoryContext old;

	if (answer->leaves == NIL)
		return false;
	old = MemoryContextSwitchTo(answer->context);
	answer->leaf = relation_open(linitial_oid(answer->leaves), AccessShareLock);
	answer->leaves = list_delete_first(answer->leaves);
	tg_range_scan_begin(&answer->scan, answer->leaf, answer->snapshot,
						answer->range.after, answer->range.upto);
	MemoryContextSwitchTo(old);
	return true;
}

/*
 * Go to the next row, whichever leaf it is in.
 */
static bool
next_row(TgRangeAnswer *answer)
{
	for (;;)
	{
		if (answer->leaf != NULL && tg_range_scan_next(&answer->scan))
			return true;
		end_leaf(answer);
		if (!begin_leaf(answer))
			return false;
	}
}

/*
 * Fill in a number that was left open.
 */
static void
put_u32(StringInfo buf, int at, uint32 value)
{
	value = pg_hton32(value);
	memcpy(buf->data + at, &value, sizeof(value));
}

/*
 * Append the current row as tg_wire_write_change() would.
 */
static void
add_row(TgRangeAnswer *answer, StringInfo piece)
{
	TgRangeScan *scan = &answer->scan;
	MemoryContext old;
	int			length_at;

	tg_write_u8(piece, TG_CHANGE_ROW);
	tg_write_u64(piece, tg_slot_stamp(scan->table, scan->row));
	length_at = piece->len;
	tg_write_u32(piece, 0);
	old = MemoryContextSwitchTo(answer->scratch);
	tg_row_write(scan->table, scan->row, piece);
	MemoryContextSwitchTo(old);
	MemoryContextReset(answer->scratch);
	put_u32(piece, length_at, piece->len - length_at - sizeof(uint32));
}

static void
begin_piece(StringInfo piece)
{
	static const char varlena_header[VARHDRSZ] = {0};

	initStringInfo(piece);
	enlargeStringInfo(piece, PIECE_BYTES + PIECE_BYTES / 4);
	appendBinaryStringInfo(piece, varlena_header, VARHDRSZ);
}

/*
 * The next piece, in the current memory context; NULL if there are no more
 * rows.
 */
bytea *
tg_range_answer_next(TgRangeAnswer *answer)
{
	StringInfoData piece;
	uint32		nrows = 0;
	int			count_at;

	TG_FAILPOINT("copy-range");
	if (!next_row(answer))
		return NULL;
	begin_piece(&piece);
	tg_wire_write_answer(&piece, &answer->head);
	tg_wire_write_section(&piece, &answer->section);
	count_at = piece.len - sizeof(uint32);
	do
	{
		CHECK_FOR_INTERRUPTS();
		add_row(answer, &piece);
		nrows++;
	} while (nrows < PIECE_ROWS && piece.len < PIECE_BYTES && next_row(answer));
	put_u32(&piece, count_at, nrows);
	SET_VARSIZE(piece.data, piece.len);
	return (bytea *) piece.data;
}

/*
 * End of the answer, also before its last piece.
 */
void
tg_range_answer_close(TgRangeAnswer *answer)
{
	end_leaf(answer);
	UnregisterSnapshot(answer->snapshot);
	relation_close(answer->rel, NoLock);
	MemoryContextDelete(answer->context);
}
