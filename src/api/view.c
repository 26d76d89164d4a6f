/*-------------------------------------------------------------------------
 *
 * src/api/view.c
 *	  SQL functions around the view: evict, rejoin, and what voters are asked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "base/error.h"
#include "clock/identity.h"
#include "cluster/readmit.h"
#include "cluster/view_errand.h"
#include "cluster/view_vote.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(topgun_evict);
PG_FUNCTION_INFO_V1(topgun_rejoin);
PG_FUNCTION_INFO_V1(topgun_readmit);
PG_FUNCTION_INFO_V1(topgun_view);
PG_FUNCTION_INFO_V1(topgun_view_promise);
PG_FUNCTION_INFO_V1(topgun_view_accept);
PG_FUNCTION_INFO_V1(topgun_view_learn);

static Datum
to_bytea(TgBytes bytes)
{
	return PointerGetDatum(cstring_to_text_with_len(bytes.data, bytes.len));
}

static TgView *
require_view(void)
{
	(void) tg_node_id_required();
	return tg_view_learn(NULL);
}

static const TgViewMember *
require_other_member(const char *name)
{
	TgView	   *view = require_view();
	const TgViewMember *member = tg_view_find_name(view, name);

	if (member == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("node \"%s\" is not a member of the cluster", name),
				 errhint("See topgun.node for the members.")));
	if (member->node == tg_node_id())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("node \"%s\" is this one", name),
				 errhint("Use topgun.leave().")));
	return member;
}

/*
 * topgun.evict(node_name, force): have a view without that node; its epoch.
 */
Datum
topgun_evict(PG_FUNCTION_ARGS)
{
	const TgViewMember *member;
	TgViewChange change = {0};

	PreventCommandDuringRecovery("topgun.evict()");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments of topgun.evict() must not be null")));
	member = require_other_member(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	change.reason = PG_GETARG_BOOL(1) ? TG_VIEW_FORCE : TG_VIEW_EVICT;
	change.node = member->node;
	change.name = member->name;
	PG_RETURN_INT64((int64) tg_view_change_apart(&change)->epoch);
}

/*
 * topgun.rejoin(): come back into the view; its epoch.
 */
Datum
topgun_rejoin(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.rejoin()");
	(void) require_view();
	PG_RETURN_INT64((int64) tg_view_rejoin_apart()->epoch);
}

/*
 * topgun_internal.readmit(node, identity, after): for a node that wants to come
 * back.
 */
Datum
topgun_readmit(PG_FUNCTION_ARGS)
{
	int32		node = PG_GETARG_INT32(0);
	int64		after = PG_GETARG_INT64(2);

	PreventCommandDuringRecovery("answering a peer");
	if (node < 1 || node > TG_MAX_NODE || after < 0)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the request is not one of this version of topgun")));
	PG_RETURN_DATUM(to_bytea(tg_readmit(node, text_to_cstring(PG_GETARG_TEXT_PP(1)), after)));
}

/*
 * topgun_internal.view(): the newest view that this node knows.
 */
Datum
topgun_view(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(to_bytea(tg_view_bytes(require_view())));
}

static Datum
answer_vote(FunctionCallInfo fcinfo, TgMessageKind kind)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	TgVoteRequest request;
	TgReader	reader;
	StringInfo	answer;

	tg_reader_init(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if (!tg_vote_read_request(&reader, kind, &request))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("the request is not one of this version of topgun")));
	PreventCommandDuringRecovery("answering a peer");
	answer = tg_vote_answer(&request);
	return to_bytea(tg_bytes_of_buf(answer));
}

/*
 * topgun_internal.view_promise(request): take part in no lower ballot.
 */
Datum
topgun_view_promise(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(answer_vote(fcinfo, TG_MESSAGE_PROMISE));
}

/*
 * topgun_internal.view_accept(request): vote for a view.
 */
Datum
topgun_view_accept(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(answer_vote(fcinfo, TG_MESSAGE_ACCEPT));
}

/*
 * topgun_internal.view_learn(view): a view that was decided; answered with the
 * newest.
 */
Datum
topgun_view_learn(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	TgView	   *view = tg_view_require(tg_bytes_of_varlena(bytes));

	PreventCommandDuringRecovery("answering a peer");
	(void) tg_node_id_required();
	PG_RETURN_DATUM(to_bytea(tg_view_bytes(tg_view_learn(view))));
}
