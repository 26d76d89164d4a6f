/*-------------------------------------------------------------------------
 *
 * src/api/peers.c
 *	  SQL functions that peers call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/asker.h"
#include "base/error.h"
#include "base/wait.h"
#include "clock/identity.h"
#include "cluster/facts.h"
#include "cluster/membership.h"
#include "cluster/reach.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "journal/inflight.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "transport/ack.h"
#include "transport/answer.h"
#include "transport/copy.h"
#include "transport/cursors.h"
#include "transport/peer.h"
#include "transport/resume.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/roster.h"

#define GATHER_MS		5		/* how long changes are let come together */

PG_FUNCTION_INFO_V1(topgun_wait_for_changes);
PG_FUNCTION_INFO_V1(topgun_pull);
PG_FUNCTION_INFO_V1(topgun_copy);
PG_FUNCTION_INFO_V1(topgun_facts);
PG_FUNCTION_INFO_V1(topgun_admit);
PG_FUNCTION_INFO_V1(topgun_database_identity);
PG_FUNCTION_INFO_V1(topgun_cursors);
PG_FUNCTION_INFO_V1(topgun_fingerprint);

static Datum
to_bytea(StringInfo buf)
{
	return PointerGetDatum(cstring_to_text_with_len(buf->data, buf->len));
}

/*
 * The first request of a session: its node may have been away.
 */
static void
greet(TgNodeId asker)
{
	static TgNodeId known = 0;

	if (known == asker)
		return;
	known = asker;
	tg_roster_hurry(asker);
}

/*
 * Read a pull request, see that its sender may ask, and take what it says of
 * itself.
 */
static void
accept_pull(bytea *bytes, TgPullRequest *request)
{
	TgReader	reader;
	bool		is_sound;

	tg_asker_require_primary();
	tg_reader_init(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	is_sound = tg_wire_read_pull(&reader, request);
	tg_asker_check(is_sound, &request->asker);
	tg_ack_wake(tg_peer_set_acknowledged(request->asker.node, request->flushed, request->in_step,
										 request->settled));
	greet(request->asker.node);
}

/*
 * Is there anything that a pull would get: changes in the journal after the
 * asker's cursor, or a session that waits to hear of what the asker has
 * merged?
 */
static bool
has_news_for(TgNodeId node, const TgPullRequest *request)
{
	TgPosition	position = request->cursor.position;
	TgPosition	last = tg_inflight_last_position();

	return (last > position && tg_inflight_horizon(node) > position) ||
		tg_ack_is_awaited(request->flushed, request->cursor);
}

/*
 * Changes came while the asker was merging those before, so there is a load,
 * under which an answer for each few of them costs both nodes more than the
 * changes themselves.  Let more come together, unless a session waits to hear
 * of them.  Commits do not wake us meanwhile: that is part of the cost.
 */
static void
gather(const TgPullRequest *request)
{
	TgCursor	all = tg_cursor_after(PG_UINT64_MAX);

	for (int i = 0; i < GATHER_MS && !tg_ack_is_awaited(request->flushed, all); i++)
	{
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1, tg_wait_event(TG_WAIT_CHANGES));
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * topgun_internal.wait_for_changes(request, max_ms): take what this pull
 * request acknowledges, and return when there is something to answer, or when
 * the time is over.  A procedure: it ends its transaction, and with it its
 * snapshot, before it waits.
 */
Datum
topgun_wait_for_changes(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PG_GETARG_INT32(1));
	TgNodeId	node = tg_node_id_required();
	TgPullRequest request;

	accept_pull(PG_GETARG_BYTEA_PP(0), &request);

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	SPI_commit();
	SPI_finish();

	if (PG_GETARG_INT32(1) > GATHER_MS && has_news_for(node, &request))
		gather(&request);
	tg_waiter_enter();
	while (!has_news_for(node, &request))
	{
		long		rest_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		if (rest_ms <= 0)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 rest_ms, tg_wait_event(TG_WAIT_CHANGES));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	tg_waiter_leave();
	PG_RETURN_VOID();
}

/*
 * topgun_internal.pull(request): what has changed after the asker's cursor.
 */
Datum
topgun_pull(PG_FUNCTION_ARGS)
{
	TgPullRequest request;

	accept_pull(PG_GETARG_BYTEA_PP(0), &request);
	return to_bytea(tg_answer_pull(&request));
}

/*
 * topgun_internal.copy(request): a chunk of a table.
 */
Datum
topgun_copy(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	TgCopyRequest request;
	TgReader	reader;
	bool		is_sound;

	tg_asker_require_primary();
	tg_reader_init(&reader, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	is_sound = tg_wire_read_copy(&reader, &request);
	tg_asker_check(is_sound, &request.asker);
	return to_bytea(tg_answer_copy(&request));
}

/*
 * topgun_internal.facts(): what another node compares before it joins.
 */
Datum
topgun_facts(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(tg_facts_text()));
}

/*
 * topgun_internal.admit(name, dsn, identity): the id of a new member.
 */
Datum
topgun_admit(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(tg_admit(text_to_cstring(PG_GETARG_TEXT_PP(0)),
							 text_to_cstring(PG_GETARG_TEXT_PP(1)),
							 text_to_cstring(PG_GETARG_TEXT_PP(2))));
}

/*
 * topgun_internal.database_identity(): for a member that wants to know where a
 * connection string leads.
 */
Datum
topgun_database_identity(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(tg_database_identity()));
}

/*
 * topgun_internal.cursors(asker): where a new member starts to read journals.
 */
Datum
topgun_cursors(PG_FUNCTION_ARGS)
{
	(void) tg_asker_require(PG_GETARG_BYTEA_PP(0));
	return to_bytea(tg_cursors_tell());
}

/*
 * topgun_internal.fingerprint(asker, table_id): of its columns and key, NULL if
 * the table is not here.
 */
Datum
topgun_fingerprint(PG_FUNCTION_ARGS)
{
	char	   *fingerprint;

	(void) tg_asker_require(PG_GETARG_BYTEA_PP(0));
	fingerprint = tg_fingerprint_text(PG_GETARG_INT32(1));
	if (fingerprint == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(fingerprint));
}
