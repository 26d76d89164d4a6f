/*-------------------------------------------------------------------------
 *
 * src/api/repair_peers.c
 *	  SQL functions that peers call to compare and repair tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/asker.h"
#include "fmgr.h"
#include "funcapi.h"
#include "transport/rows.h"
#include "transport/tree_answer.h"
#include "transport/versions_answer.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(topgun_tree);
PG_FUNCTION_INFO_V1(topgun_leaf_keys);
PG_FUNCTION_INFO_V1(topgun_versions);
PG_FUNCTION_INFO_V1(topgun_take);
PG_FUNCTION_INFO_V1(topgun_row_states);
PG_FUNCTION_INFO_V1(topgun_restamp);

static TgReader
open_request(bytea *bytes)
{
	TgReader	reader;

	tg_asker_require_primary();
	tg_reader_init(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	return reader;
}

static Datum
to_bytea(StringInfo buf)
{
	return PointerGetDatum(cstring_to_text_with_len(buf->data, buf->len));
}

/*
 * topgun_internal.tree(request): roots and leaves of some tables.
 */
Datum
topgun_tree(PG_FUNCTION_ARGS)
{
	TgReader	reader = open_request(PG_GETARG_BYTEA_PP(0));
	TgTreeRequest request;
	bool		is_sound = tg_wire_read_tree(&reader, &request);

	tg_asker_check(is_sound, &request.asker);
	return to_bytea(tg_answer_tree(&request));
}

static void
emit_chunk(void *arg, TgBytes chunk)
{
	ReturnSetInfo *result = arg;
	bytea	   *bytes = cstring_to_text_with_len(chunk.data, chunk.len);
	Datum		value = PointerGetDatum(bytes);
	bool		isnull = false;

	tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
	pfree(bytes);
}

/*
 * topgun_internal.leaf_keys(request): keys and stamps of some leaves, in
 * chunks.
 */
Datum
topgun_leaf_keys(PG_FUNCTION_ARGS)
{
	TgReader	reader = open_request(PG_GETARG_BYTEA_PP(0));
	TgKeysRequest *request = palloc(sizeof(TgKeysRequest));
	bool		is_sound = tg_wire_read_keys(&reader, request);

	tg_asker_check(is_sound, &request->asker);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	tg_answer_keys(request, emit_chunk, fcinfo->resultinfo);
	PG_RETURN_VOID();
}

/*
 * topgun_internal.versions(request): whose versions of some keys are newer.
 */
Datum
topgun_versions(PG_FUNCTION_ARGS)
{
	TgReader	reader = open_request(PG_GETARG_BYTEA_PP(0));
	TgVersionsRequest request;
	bool		is_sound = tg_wire_read_versions(&reader, &request);

	tg_asker_check(is_sound, &request.asker);
	return to_bytea(tg_answer_versions(&request));
}

/*
 * topgun_internal.take(answer): merge what a peer gives us; how many changes
 * were applied, and how many could not be.
 */
Datum
topgun_take(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	TgMergeCounts counts;

	tg_asker_require_primary();
	tg_take(tg_bytes_of_varlena(bytes), &counts);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(INT64_FORMAT " " INT64_FORMAT,
											  counts.applied, counts.quarantined)));
}

/*
 * topgun_internal.row_states(request): stamps and digests of some rows.
 */
Datum
topgun_row_states(PG_FUNCTION_ARGS)
{
	TgReader	reader = open_request(PG_GETARG_BYTEA_PP(0));
	TgRowsRequest request;
	bool		is_sound = tg_wire_read_rows(&reader, &request);

	tg_asker_check(is_sound, &request.asker);
	return to_bytea(tg_answer_rows(&request));
}

/*
 * topgun_internal.restamp(request): give some rows a fresh stamp; how many.
 */
Datum
topgun_restamp(PG_FUNCTION_ARGS)
{
	TgReader	reader = open_request(PG_GETARG_BYTEA_PP(0));
	TgRowsRequest request;
	bool		is_sound = tg_wire_read_rows(&reader, &request);

	tg_asker_check(is_sound, &request.asker);
	PG_RETURN_INT32(tg_answer_restamp(&request));
}
