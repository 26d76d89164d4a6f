/*-------------------------------------------------------------------------
 *
 * src/api/copy.c
 *	  SQL functions that a peer calls while it copies a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/asker.h"
#include "fmgr.h"
#include "funcapi.h"
#include "transport/copy_bounds.h"
#include "transport/copy_range.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(topgun_copy_bounds);
PG_FUNCTION_INFO_V1(topgun_copy_range);

static void
read_request(FunctionCallInfo fcinfo, TgRangeRequest *request)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	TgReader	reader;
	bool		is_sound;

	tg_asker_require_primary();
	tg_reader_init(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	is_sound = tg_wire_read_range(&reader, request);
	tg_asker_check(is_sound, &request->asker);
}

/*
 * topgun_internal.copy_bounds(request): where to cut a table.
 */
Datum
topgun_copy_bounds(PG_FUNCTION_ARGS)
{
	TgRangeRequest request;
	StringInfo	answer;

	read_request(fcinfo, &request);
	answer = tg_answer_bounds(&request);
	return PointerGetDatum(cstring_to_text_with_len(answer->data, answer->len));
}

static void
close_answer(Datum answer)
{
	tg_range_answer_close((TgRangeAnswer *) DatumGetPointer(answer));
}

static TgRangeAnswer *
open_answer(FunctionCallInfo fcinfo, FuncCallContext *context)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
	TgRangeRequest request;
	TgRangeAnswer *answer;

	read_request(fcinfo, &request);
	answer = tg_range_answer_open(&request);
	MemoryContextSwitchTo(old);
	RegisterExprContextCallback(result->econtext, close_answer, PointerGetDatum(answer));
	return answer;
}

/*
 * topgun_internal.copy_range(request): the rows of a range of keys, in pieces.
 */
Datum
topgun_copy_range(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	bytea	   *piece;

	if (SRF_IS_FIRSTCALL())
	{
		context = SRF_FIRSTCALL_INIT();
		context->user_fctx = open_answer(fcinfo, context);
	}
	context = SRF_PERCALL_SETUP();
	piece = tg_range_answer_next(context->user_fctx);
	if (piece != NULL)
		SRF_RETURN_NEXT(context, PointerGetDatum(piece));

	UnregisterExprContextCallback(((ReturnSetInfo *) fcinfo->resultinfo)->econtext, close_answer,
								  PointerGetDatum(context->user_fctx));
	tg_range_answer_close(context->user_fctx);
	SRF_RETURN_DONE(context);
}
