/*-------------------------------------------------------------------------
 *
 * src/cluster/token_desk.c
 *	  Where tokens are issued, and where they are asked for.
 *
 * One member looks after a resource: the first in the order of rendezvous
 * hashing over the members of the view.  Every other asks it over a link.  All
 * nodes of one epoch have one view and so agree on who that is, and a request
 * from another epoch is refused.  So in one epoch all tokens of a resource are
 * rows of one table, topgun.token, on one node, under row locks.
 *
 * A token of the epoch before keeps its right for topgun.token_grace if the
 * same member looks after the resource in both; else it is lost at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/error.h"
#include "base/guc.h"
#include "base/hash.h"
#include "base/sql.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "cluster/candidate.h"
#include "cluster/event.h"
#include "cluster/token.h"
#include "cluster/token_desk.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "transport/gate.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/view_store.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MAX_RESOURCE_BYTES	512

static TgMember *
keeper_of(const char *resource)
{
	List	   *ranked = tg_members_ranked(tg_hash64(resource, strlen(resource)));

	if (ranked == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("this node knows of no member of the cluster")));
	return linitial(ranked);
}

/*
 * Who is not in the view, or does not hear of a majority of it, can neither
 * give nor check rights, whatever he may write.
 */
static void
require_majority(void)
{
	if (tg_epoch_has_fence(TG_FENCE_VIEW) || tg_epoch_has_fence(TG_FENCE_MINORITY))
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("tokens cannot be used on this node"),
				 errdetail("It is not in the current view, or does not hear of a majority of the cluster.")));
}

static void
check_resource(const char *resource)
{
	if (resource[0] == '\0' || strlen(resource) > MAX_RESOURCE_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("name of a resource must have 1 to %d bytes", MAX_RESOURCE_BYTES)));
}

/*
 * The epoch is that of the view that tells who looks after a resource: the one
 * in shared memory follows when the view has been stored.
 */
static TgEpoch
epoch_of_view(void)
{
	TgView	   *view = tg_view_current();

	return view == NULL ? TG_FIRST_EPOCH : view->epoch;
}

static TgTokenTime
time_of_tokens(void)
{
	TgTokenTime now = {
		.epoch = epoch_of_view(),
		.age_ms = tg_epoch_age_ms(),
		.grace_ms = tg_token_grace_ms
	};

	return now;
}

static bool
is_member(TgNodeId node)
{
	TgMember   *member = tg_member_find(node);

	return member != NULL && member->is_active;
}

static int64
column_of_row(int column)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull));
}

/*
 * What is known of a resource.  The row is locked if something is to change;
 * else it is read as it is now, whatever the snapshot of the transaction.
 */
static TgTokenRecord
read_record(const char *resource, bool lock)
{
	TgTokenRecord record = {0};
	char	   *query = psprintf("SELECT holder::pg_catalog.int8, token FROM topgun.token WHERE resource = %s%s",
								 quote_literal_cstr(resource), lock ? " FOR UPDATE" : "");

	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute(query, !lock, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read topgun.token");
	PopActiveSnapshot();
	if (SPI_processed == 0)
		return record;
	record.holder = column_of_row(1);
	record.token = column_of_row(2);
	record.holder_is_member = record.holder != 0 && is_member(record.holder);
	return record;
}

/*
 * Rows of epochs that do not count any more; those that somebody is at are
 * left for the next time.
 */
static void
drop_stale(const TgTokenTime *now)
{
	if (now->epoch < 2)
		return;
	(void) tg_sql_run("DELETE FROM topgun.token WHERE resource IN (SELECT t.resource FROM topgun.token AS t"
					  " WHERE t.token < " INT64_FORMAT " FOR UPDATE SKIP LOCKED)",
					  tg_token_make(now->epoch - 1, 1));
}

static void
refuse_held(const char *resource, TgNodeId holder)
{
	TgMember   *member = tg_member_find(holder);

	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("resource \"%s\" is held by node \"%s\"", resource, member->name),
			 errhint("It is free when that node has released it or has left the view.")));
}

/*
 * The serial number comes from a sequence, so it is not given again after a
 * rollback; with the flush, not after a crash either.
 */
static int64
issue(const TgTokenRequest *request, const TgTokenTime *now)
{
	TgTokenRecord record;
	int64		token;

	drop_stale(now);
	(void) tg_sql_run("INSERT INTO topgun.token (resource) VALUES (%s) ON CONFLICT DO NOTHING",
					  quote_literal_cstr(request->resource));
	record = read_record(request->resource, true);
	if (!tg_token_may_take(&record, request->asker, now))
		refuse_held(request->resource, record.holder);

	(void) tg_sql_run("SELECT pg_catalog.nextval('topgun.token_serial')");
	token = tg_token_make(now->epoch, column_of_row(1));
	(void) tg_sql_run("UPDATE topgun.token SET holder = %d, token = " INT64_FORMAT " WHERE resource = %s",
					  request->asker, token, quote_literal_cstr(request->resource));
	XLogFlush(XactLastRecEnd);
	tg_event_of_token("token_issued", request->asker, request->resource, token);
	return token;
}

static int64
release(const TgTokenRequest *request, const TgTokenTime *now)
{
	TgTokenRecord record = read_record(request->resource, true);

	if (!tg_token_is_valid(&record, request->token, now))
		return 0;
	tg_event_of_token("token_released", request->asker, request->resource, request->token);
	return tg_sql_run("UPDATE topgun.token SET holder = 0 WHERE resource = %s",
					  quote_literal_cstr(request->resource));
}

static int64
act(const TgTokenRequest *request, const TgTokenTime *now)
{
	TgTokenRecord record;

	switch (request->action)
	{
		case TG_TOKEN_ISSUE:
			return issue(request, now);
		case TG_TOKEN_RELEASE:
			return release(request, now);
		case TG_TOKEN_VALIDATE:
			record = read_record(request->resource, false);
			return tg_token_is_valid(&record, request->token, now);
	}
	return 0;
}

/*
 * Answer a member that asks for a token, ourselves for example.  Errors out
 * with ERRCODE_TG_STALE_EPOCH if the two are not in one epoch, or if the epoch
 * has changed meanwhile.
 */
int64
tg_token_answer(const TgTokenRequest *request)
{
	TgTokenTime now = time_of_tokens();
	TgSqlSession session;
	int64		result;

	require_majority();
	if (!is_member(request->asker))
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("node %d is not in the current view", request->asker)));
	if (request->epoch != now.epoch || keeper_of(request->resource)->node != tg_node_id_required())
		ereport(ERROR,
				(errcode(ERRCODE_TG_STALE_EPOCH),
				 errmsg("node %d asks for a token in epoch %llu, here it is %llu", request->asker,
						(unsigned long long) request->epoch, (unsigned long long) now.epoch),
				 errhint("Try again.")));

	tg_sql_begin(&session, GetUserId());
	result = act(request, &now);
	tg_sql_end(&session);
	if (epoch_of_view() != now.epoch)
		ereport(ERROR,
				(errcode(ERRCODE_TG_STALE_EPOCH),
				 errmsg("the epoch has changed while a token was asked for"),
				 errhint("Try again.")));
	return result;
}

static int64
ask_keeper(const TgMember *keeper, const TgTokenRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun token",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_connect_timeout_ms);
	TgLink	   *link = tg_link_open_until(keeper->dsn, keeper->name, until);
	TgLinkParam params[] = {
		tg_speaker_param(),
		{psprintf("%d", request->action), 0, false},
		{request->resource, 0, false},
		{psprintf(INT64_FORMAT, request->token), 0, false}
	};
	char	   *text = tg_link_ask(link, "SELECT topgun_internal.token($1, $2, $3, $4)::pg_catalog.text",
								   lengthof(params), params);
	int64		result = text == NULL ? 0 : strtoll(text, NULL, 10);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

/*
 * Ask the member that looks after the resource.  What is asked of another
 * member is done there at once, whatever becomes of our transaction.
 */
int64
tg_token_ask(TgTokenAction action, const char *resource, int64 token)
{
	TgTokenTime now = time_of_tokens();
	TgTokenRequest request = {
		.action = action,
		.asker = tg_node_id_required(),
		.epoch = now.epoch,
		.resource = resource,
		.token = token
	};
	TgMember   *keeper;

	check_resource(resource);
	require_majority();
	if (action != TG_TOKEN_ISSUE && !tg_token_counts(token, &now))
		return 0;
	keeper = keeper_of(resource);
	return keeper->node == request.asker ? tg_token_answer(&request) : ask_keeper(keeper, &request);
}
