/*-------------------------------------------------------------------------
 *
 * src/transport/copy.c
 *	  Copying a whole table from a peer, chunk by chunk: both ends.
 *
 * Chunks come in key order, each with a snapshot of its own: whatever changes
 * after the first one is in the peer's journal and is pulled from there, and
 * merging a version twice is harmless.  Where to go on is the phase and the
 * last key of the chunk before:
 *
 *	R	rows in the order of the primary key, after the truncation if there
 *		was one
 *	T	tombstones in the order of their bytes
 *	Q	versions that wait in the peer's quarantine, in one chunk
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "catalog/pg_type.h"
#include "clock/identity.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "merge/load.h"
#include "row/stamp.h"
#include "row/truncation.h"
#include "transport/copy.h"
#include "transport/merge_answer.h"
#include "transport/section.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define PHASE_ROWS			'R'
#define PHASE_TOMBSTONES	'T'
#define PHASE_QUARANTINE	'Q'

#define CHUNK_BYTES			(4 * 1024 * 1024)
#define CHUNK_TIMEOUT_MS	(10 * 60 * 1000)
#define FETCH_ROWS			500
#define FETCH_TOMBSTONES	20000

static const char *
column_name(Relation rel, TgKeyColumn *column)
{
	return quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(rel), column->attno - 1)->attname));
}

/*
 * Rows after a key, in key order; from the first one if there is none.
 */
static char *
rows_query(TgTarget *target, bool has_after)
{
	Relation	rel = target->rel;
	TgKeySpec  *key = target->table->key;
	StringInfoData columns;
	StringInfoData params;
	StringInfoData query;

	initStringInfo(&columns);
	initStringInfo(&params);
	initStringInfo(&query);
	for (int i = 0; i < key->ncolumns; i++)
	{
		appendStringInfo(&columns, "%st.%s", i > 0 ? ", " : "", column_name(rel, &key->columns[i]));
		appendStringInfo(&params, "%s$%d", i > 0 ? ", " : "", i + 1);
	}
	appendStringInfo(&query, "SELECT t FROM %s AS t",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)));
	if (has_after)
		appendStringInfo(&query, " WHERE (%s) > (%s)", columns.data, params.data);
	appendStringInfo(&query, " ORDER BY %s", columns.data);
	return query.data;
}

static Portal
open_rows(TgTarget *target, TgBytes after_key)
{
	TgKeySpec  *key = target->table->key;
	bool		has_after = after_key.len > 0;
	Oid			types[INDEX_MAX_KEYS];
	Datum		values[INDEX_MAX_KEYS];

	for (int i = 0; i < key->ncolumns; i++)
		types[i] = key->columns[i].value.type;
	if (has_after)
		tg_key_read(key, after_key, values);
	return SPI_cursor_open_with_args(NULL, rows_query(target, has_after),
									 has_after ? key->ncolumns : 0, types, values, NULL, true, 0);
}

static void
add_composite(TgSections *sections, TupleTableSlot *slot, Datum composite)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(composite);
	HeapTupleData tuple = {
		.t_len = HeapTupleHeaderGetDatumLength(header),
		.t_data = header
	};

	ItemPointerSetInvalid(&tuple.t_self);
	ExecForceStoreHeapTuple(&tuple, slot, false);
	tg_section_add_row(sections, sections->target->table, slot);
	ExecClearTuple(slot);
}

static void
add_rows(TgSections *sections, TgBytes after_key, Size max_bytes)
{
	TgTarget   *target = sections->target;
	Portal		portal = open_rows(target, after_key);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(target->rel), &TTSOpsHeapTuple);

	if (after_key.len == 0 && tg_truncation_find(target->table->id) != TG_NO_STAMP)
		tg_section_add(sections, TG_CHANGE_TRUNCATE, tg_truncation_find(target->table->id),
					   tg_bytes(NULL, 0));
	do
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			bool		isnull;

			add_composite(sections, slot,
						  SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed == FETCH_ROWS && tg_sections_bytes(sections) < max_bytes);
	SPI_cursor_close(portal);
	ExecDropSingleTupleTableSlot(slot);
}

static void
add_queried(TgSections *sections, const char *query, TgBytes after_key)
{
	Oid			types[] = {INT4OID, BYTEAOID};
	Datum		values[] = {
		Int32GetDatum(sections->target->table->id),
		PointerGetDatum(cstring_to_text_with_len(after_key.data, after_key.len))
	};

	if (SPI_execute_with_args(query, 2, types, values, NULL, true, FETCH_TOMBSTONES) != SPI_OK_SELECT)
		elog(ERROR, "could not read the table to copy");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		stamp = SPI_getbinval(row, desc, 1, &isnull);
		bytea	   *payload;
		TgChangeKind kind;

		if (isnull)
			stamp = TgStampGetDatum(TG_NO_STAMP);
		kind = DatumGetBool(SPI_getbinval(row, desc, 2, &isnull)) ? TG_CHANGE_DELETE : TG_CHANGE_ROW;
		payload = DatumGetByteaPP(SPI_getbinval(row, desc, 3, &isnull));
		tg_section_add(sections, kind, DatumGetTgStamp(stamp),
					   tg_bytes_of_varlena(payload));
	}
}

static void
add_chunk(TgSections *sections, const TgCopyRequest *request)
{
	char		phase = request->has_after ? request->after.data[0] : PHASE_ROWS;
	TgBytes		key = {NULL, 0};

	if (request->has_after)
		key = tg_bytes(request->after.data + 1, request->after.len - 1);
	if (phase == PHASE_ROWS)
		add_rows(sections, key, Min(request->max_bytes, CHUNK_BYTES));
	else if (phase == PHASE_TOMBSTONES)
		add_queried(sections, "SELECT stamp, true, key FROM topgun.tombstone "
					"WHERE table_id = $1 AND key > $2 ORDER BY key", key);
	else if (phase == PHASE_QUARANTINE)
		add_queried(sections, "SELECT stamp, deleted, payload FROM topgun.quarantine "
					"WHERE table_id = $1 AND $2 IS NOT NULL", key);
	else
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken request to copy a table")));
}

/*
 * Answer a request for a chunk.  Locks the table with ACCESS SHARE.
 */
StringInfo
tg_answer_copy(const TgCopyRequest *request)
{
	TgSections	sections;
	StringInfo	buf = makeStringInfo();
	TgAnswerHead head = {
		.sender = tg_node_id_required(),
		.epoch = request->epoch,
		.complete = true,
		.vector = tg_vector_create()
	};

	tg_sections_init(&sections);
	SPI_connect();
	if (!tg_section_begin(&sections, request->table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %d is not replicated on node %d", request->table, head.sender)));
	add_chunk(&sections, request);
	tg_section_end(&sections);
	head.ntables = sections.ntables;
	tg_wire_write_answer(buf, &head);
	appendBinaryStringInfo(buf, sections.done.data, sections.done.len);
	SPI_finish();
	return buf;
}

/*
 * Where the next chunk begins: behind the last key of this one, or with the
 * next phase.  False if there is none.
 */
static bool
next_start(TgTableId table, const TgAnswer *answer, char phase, StringInfo after)
{
	const TgSection *section = answer->head.ntables > 0 ? &answer->sections[0] : NULL;
	const TgChange *last = section ? &section->changes[section->head.nchanges - 1] : NULL;
	TgTarget   *target;

	if (last == NULL || last->kind == TG_CHANGE_TRUNCATE || phase == PHASE_QUARANTINE)
	{
		if (phase == PHASE_QUARANTINE)
			return false;
		appendStringInfoChar(after, phase == PHASE_ROWS ? PHASE_TOMBSTONES : PHASE_QUARANTINE);
		return true;
	}
	appendStringInfoChar(after, phase);
	target = tg_merge_open_table(table, RowExclusiveLock);
	if (target == NULL)
		return false;
	tg_change_load(target, last, after);
	tg_merge_close_table(target);
	return true;
}

static TgBytes
ask_for_chunk(TgLink *link, TgTableId table, TgBytes after)
{
	TgCopyRequest request = {
		.asker = tg_node_id_required(),
		.epoch = 1,
		.table = table,
		.has_after = after.len > 0,
		.after = after,
		.max_bytes = CHUNK_BYTES
	};
	StringInfoData buf;
	TgLinkParam param = {.is_binary = true};

	initStringInfo(&buf);
	tg_wire_write_copy(&buf, &request);
	param.data = buf.data;
	param.len = buf.len;
	tg_link_send(link, "SELECT topgun_internal.copy($1)", 1, &param);
	return tg_link_receive(link, CHUNK_TIMEOUT_MS);
}

/*
 * Copy the next chunk of a table, in the caller's transaction.  "after" is
 * where it begins, empty for the first; it is set to where the next begins, in
 * the current memory context.  False if this was the last one.
 */
bool
tg_copy_chunk(TgLink *link, TgNodeId peer, TgTableId table, TgBytes *after)
{
	char		phase = after->len > 0 ? after->data[0] : PHASE_ROWS;
	TgAnswer	answer;
	TgMerge		merge;
	StringInfoData next;
	bool		more;

	tg_answer_read(ask_for_chunk(link, table, *after), &answer);
	initStringInfo(&next);
	tg_answer_observe(&answer);
	tg_merge_begin(&merge, peer, NULL);
	tg_answer_merge(&answer, &merge);
	more = next_start(table, &answer, phase, &next);
	tg_merge_end(&merge);

	*after = tg_bytes_of_buf(&next);
	return more;
}
