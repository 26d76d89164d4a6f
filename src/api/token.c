/*-------------------------------------------------------------------------
 *
 * src/api/token.c
 *	  SQL functions of tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/asker.h"
#include "base/error.h"
#include "cluster/token_desk.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(topgun_issue_token);
PG_FUNCTION_INFO_V1(topgun_validate_token);
PG_FUNCTION_INFO_V1(topgun_release_token);
PG_FUNCTION_INFO_V1(topgun_token);

/*
 * topgun.issue_token(resource): a new token for this node.
 *
 * Guaranteed: in one epoch no two nodes have valid tokens of one resource.  A
 * token is greater than all that were issued for its resource before, also
 * over restarts and changes of the epoch; so what is written under the resource
 * can refuse who comes with a smaller one.  Not guaranteed: that a node which
 * was cut off, and does not know it yet, stops to believe in its token of an
 * epoch that is over.  It learns of it when it validates, or when its writes
 * are refused by such a comparison; if a view was forced, only by the latter.
 */
Datum
topgun_issue_token(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.issue_token()");
	PG_RETURN_INT64(tg_token_ask(TG_TOKEN_ISSUE, text_to_cstring(PG_GETARG_TEXT_PP(0)), 0));
}

/*
 * topgun.validate_token(resource, token): does this token still give the
 * right?  True only if the member that looks after the resource has said so;
 * errors out if that cannot be asked.
 */
Datum
topgun_validate_token(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.validate_token()");
	PG_RETURN_BOOL(tg_token_ask(TG_TOKEN_VALIDATE, text_to_cstring(PG_GETARG_TEXT_PP(0)),
								PG_GETARG_INT64(1)) != 0);
}

/*
 * topgun.release_token(resource, token): give the right back; false if there
 * was none.
 */
Datum
topgun_release_token(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.release_token()");
	PG_RETURN_BOOL(tg_token_ask(TG_TOKEN_RELEASE, text_to_cstring(PG_GETARG_TEXT_PP(0)),
								PG_GETARG_INT64(1)) != 0);
}

/*
 * topgun_internal.token(asker, action, resource, token): for a member asks
 * for a resource that we look after.
 */
Datum
topgun_token(PG_FUNCTION_ARGS)
{
	TgSpeaker	asker = tg_asker_require(PG_GETARG_BYTEA_PP(0));
	int			action = PG_GETARG_INT32(1);
	TgTokenRequest request = {
		.action = action,
		.asker = asker.node,
		.epoch = asker.epoch,
		.resource = text_to_cstring(PG_GETARG_TEXT_PP(2)),
		.token = PG_GETARG_INT64(3)
	};

	if (action < TG_TOKEN_ISSUE || action > TG_TOKEN_RELEASE)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("unknown action %d of a token", action)));
	PG_RETURN_INT64(tg_token_answer(&request));
}
