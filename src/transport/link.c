/*-------------------------------------------------------------------------
 *
 * src/transport/link.c
 *	  A connection to a peer.
 *
 * libpq in pipeline mode, never blocking: every wait is for the socket, our
 * latch, the death of the postmaster and a time-out at once.  Each request is
 * followed by a sync and so is a transaction of its own; requests may be sent
 * ahead, answers come in their order.  COPY knows no pipeline: while rows of
 * one come, nothing else is under way.
 *
 * A link belongs to a memory context and closes with it, so errors need no
 * clean-up.  After an error the link is of no more use.
 *
 * One that was begun with tg_link_start() is another kind: nobody waits for it
 * alone.  tg_link_poll() says how far it is, and whatever happens to the peer
 * is an answer, not an error: the process has other peers to see to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/wait.h"
#include "libpq-fe.h"

#include "base/compat.h"
#include "base/error.h"
#include "base/guc.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "transport/link.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define COPY_HEADER_BYTES	19	/* signature, flags, length of an extension */

struct TgLink
{
	PGconn	   *conn;
	char	   *peer;			/* for messages */
	PGresult   *result;			/* holds what tg_link_receive() has returned */
	char	   *row;			/* holds what tg_link_copy_next() has returned */
	bool		has_copy_header;	/* the first row of a COPY has come */
	bool		has_fd;			/* reserved with fd.c */
	TimestampTz deadline;		/* of the link; 0: none */
	TgLinkProgress progress;	/* the rest: only after tg_link_start() */
	int			events;			/* of the socket, to wait for */
	bool		is_ready;		/* they have come */
	bool		is_set_up;
	MemoryContextCallback on_reset;
};

/*
 * Peers must not meet time limits that were meant for people.  That of locks
 * is for themselves: two nodes that wait for each other's see no deadlock.
 */
static const char *const session_setup =
"SELECT pg_catalog.set_config(name, setting, false) FROM (VALUES "
"('statement_timeout', '0'), ('lock_timeout', '10s'), "
"('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), "
"('default_transaction_isolation', 'read committed'), "
"('default_transaction_read_only', 'off'), ('topgun.synchronous', 'off'), "
"('search_path', 'pg_catalog')) AS v (name, setting)";

static void
release(void *arg)
{
	TgLink	   *link = arg;

	if (link->result != NULL)
		PQclear(link->result);
	if (link->row != NULL)
		PQfreemem(link->row);
	if (link->conn != NULL)
		PQfinish(link->conn);
	if (link->has_fd)
		ReleaseExternalFD();
	link->result = NULL;
	link->row = NULL;
	link->conn = NULL;
	link->has_fd = false;
}

static void
fail(TgLink *link, const char *what)
{
	char	   *message = pchomp(PQerrorMessage(link->conn));

	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("%s \"%s\"", what, link->peer),
			 message[0] != '\0' ? errdetail_internal("%s", message) : 0));
}

/*
 * Wait for events of the socket until the deadline; return those that came,
 * 0 if only the latch was set.
 */
static int
wait_socket(TgLink *link, int events, TimestampTz deadline)
{
	long		rest_ms;
	int			got;

	if (link->deadline != 0)
		deadline = Min(deadline, link->deadline);
	rest_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
	if (rest_ms <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("no answer from peer \"%s\" in time", link->peer)));

	got = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | events,
							PQsocket(link->conn), rest_ms, tg_wait_event(TG_WAIT_PEER));
	if (got & WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return got & events;
}

/*
 * libpq wants to be asked for the first time when the socket is writable;
 * else it takes a refusal for one by a server, and tries no other address.
 */
static void
connect_until(TgLink *link, TimestampTz deadline)
{
	int			events = WL_SOCKET_WRITEABLE;

	if (PQstatus(link->conn) == CONNECTION_BAD)
		fail(link, "could not connect to peer");
	for (;;)
	{
		while (wait_socket(link, events, deadline) == 0)
			;
		switch (PQconnectPoll(link->conn))
		{
			case PGRES_POLLING_OK:
				return;
			case PGRES_POLLING_READING:
				events = WL_SOCKET_READABLE;
				break;
			case PGRES_POLLING_WRITING:
				events = WL_SOCKET_WRITEABLE;
				break;
			default:
				fail(link, "could not connect to peer");
				return;
		}
	}
}

static void
refuse_dsn(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid connection string"),
			 errdetail_internal("%s", detail)));
}

/*
 * Options that libpq marks with a star are passwords.
 */
static void
check_options(const PQconninfoOption *options)
{
	bool		is_empty = true;

	for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
	{
		if (option->val == NULL)
			continue;
		is_empty = false;
		if (option->dispchar[0] == '*')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("connection string contains a password"),
					 errdetail("Every node stores the connection strings of all."),
					 errhint("Use a service file, a passfile or a certificate.")));
	}
	if (is_empty)
		refuse_dsn("It is empty.");
}

/*
 * Errors out unless this is a connection string that says something, and no
 * secret.
 */
void
tg_link_check_dsn(const char *dsn)
{
	char	   *error = NULL;
	PQconninfoOption *options = PQconninfoParse(dsn, &error);

	if (options == NULL)
	{
		char	   *detail = error ? pchomp(error) : pstrdup("out of memory");

		PQfreemem(error);
		refuse_dsn(detail);
	}
	PG_TRY();
	{
		check_options(options);
	}
	PG_FINALLY();
	{
		PQconninfoFree(options);
	}
	PG_END_TRY();
}

/*
 * What a connection string says of one keyword; NULL if nothing, or if it is
 * none that can be read.
 */
char *
tg_link_option(const char *dsn, const char *keyword)
{
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	char	   *value = NULL;

	if (options == NULL)
		return NULL;
	for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
	{
		if (strcmp(option->keyword, keyword) == 0 && option->val != NULL)
			value = MemoryContextAllocExtended(CurrentMemoryContext, strlen(option->val) + 1,
											   MCXT_ALLOC_NO_OOM);
		if (value != NULL)
		{
			strcpy(value, option->val);
			break;
		}
	}
	PQconninfoFree(options);
	return value;
}

/*
 * Connect, within topgun.connect_timeout.  The link closes with the current
 * memory context.  "peer" names the other side in messages.
 */
TgLink *
tg_link_open(const char *dsn, const char *peer)
{
	return tg_link_open_until(dsn, peer, 0);
}

/*
 * Begin to connect, in the current memory context.
 */
static TgLink *
create_link(const char *dsn, const char *peer)
{
	const char *const keywords[] = {
		"dbname", "application_name", "client_encoding", "keepalives", "keepalives_idle",
		"keepalives_interval", "keepalives_count", "tcp_user_timeout", NULL
	};
	const char *const values[] = {
		dsn, "topgun", GetDatabaseEncodingName(), "1", "5",
		"2", "3", "11000", NULL
	};
	TgLink	   *link = palloc0(sizeof(TgLink));

	link->peer = pstrdup(peer);
	link->on_reset.func = release;
	link->on_reset.arg = link;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &link->on_reset);

	link->has_fd = AcquireExternalFD();
	if (!link->has_fd)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files to connect to peer \"%s\"", peer)));
	link->conn = PQconnectStartParams(keywords, values, 1);
	if (link->conn == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return link;
}

/*
 * The same for a link on which nobody waits longer than until a point in time,
 * neither now nor for an answer; 0: there is none.
 */
TgLink *
tg_link_open_until(const char *dsn, const char *peer, TimestampTz until)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_connect_timeout_ms);
	TgLink	   *link = create_link(dsn, peer);

	link->deadline = until;
	connect_until(link, deadline);

	if (PQsetnonblocking(link->conn, 1) != 0 || PQenterPipelineMode(link->conn) != 1)
		fail(link, "could not set up the connection to peer");
	(void) tg_link_ask(link, session_setup, 0, NULL);
	return link;
}

/*
 * Disconnect.
 */
void
tg_link_close(TgLink *link)
{
	release(link);
}

/*
 * The version of PostgreSQL at the other end, as PG_VERSION_NUM.
 */
int
tg_link_server_version(TgLink *link)
{
	return PQserverVersion(link->conn);
}

static void
flush(TgLink *link, TimestampTz deadline)
{
	for (;;)
	{
		int			rest = PQflush(link->conn);
		int			got;

		if (rest < 0)
			fail(link, "lost the connection to peer");
		if (rest == 0)
			return;
		got = wait_socket(link, WL_SOCKET_WRITEABLE | WL_SOCKET_READABLE, deadline);
		if ((got & WL_SOCKET_READABLE) && PQconsumeInput(link->conn) != 1)
			fail(link, "lost the connection to peer");
	}
}

static void
end_request(TgLink *link, int sent)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_connect_timeout_ms);

	if (sent != 1 || PQpipelineSync(link->conn) != 1)
		fail(link, "lost the connection to peer");
	flush(link, deadline);
}

/* Parameters as libpq wants them. */
typedef struct Params
{
	const char *values[TG_LINK_MAX_PARAMS];
	int			lengths[TG_LINK_MAX_PARAMS];
	int			formats[TG_LINK_MAX_PARAMS];
} Params;

static void
set_params(Params *to, int nparams, const TgLinkParam *params)
{
	Assert(nparams <= TG_LINK_MAX_PARAMS);

	for (int i = 0; i < nparams; i++)
	{
		to->values[i] = params[i].data;
		to->lengths[i] = params[i].len;
		to->formats[i] = params[i].is_binary;
	}
}

/*
 * Prepare a statement for tg_link_execute().
 */
void
tg_link_prepare(TgLink *link, const char *name, const char *sql)
{
	end_request(link, PQsendPrepare(link->conn, name, sql, 0, NULL));
	(void) tg_link_receive(link, tg_connect_timeout_ms);
}

/*
 * Send the execution of a prepared statement.
 */
void
tg_link_execute(TgLink *link, const char *name, int nparams, const TgLinkParam *params)
{
	Params		p;

	set_params(&p, nparams, params);
	end_request(link, PQsendQueryPrepared(link->conn, name, nparams, p.values, p.lengths, p.formats, 1));
}

/*
 * Send a statement.
 */
void
tg_link_send(TgLink *link, const char *sql, int nparams, const TgLinkParam *params)
{
	Params		p;

	set_params(&p, nparams, params);
	end_request(link, PQsendQueryParams(link->conn, sql, nparams, NULL, p.values, p.lengths, p.formats, 1));
}

static PGresult *
next_result(TgLink *link, TimestampTz deadline)
{
	while (PQisBusy(link->conn))
	{
		if (wait_socket(link, WL_SOCKET_READABLE, deadline) == 0)
			continue;
		if (PQconsumeInput(link->conn) != 1)
			fail(link, "lost the connection to peer");
	}
	return PQgetResult(link->conn);
}

/*
 * Raise the error of the peer here, with its SQLSTATE.
 */
static void
raise_remote(TgLink *link)
{
	const char *state = PQresultErrorField(link->result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(link->result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(link->result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(link->result, PG_DIAG_MESSAGE_HINT);

	if (state == NULL || message == NULL)
		fail(link, "lost the connection to peer");
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
			 errmsg("peer \"%s\" reports: %s", link->peer, message),
			 detail ? errdetail_internal("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

/*
 * After an answer: the end of the result, then that of the request.  The
 * transaction ends with the latter, and may fail there.
 */
static void
receive_end(TgLink *link, TimestampTz deadline)
{
	int			ends = 0;

	for (;;)
	{
		PGresult   *end = next_result(link, deadline);
		ExecStatusType status = PQresultStatus(end);

		if (end == NULL)
		{
			if (PQstatus(link->conn) == CONNECTION_BAD || ++ends > 1)
				fail(link, "lost the connection to peer");
			continue;
		}
		if (status == PGRES_FATAL_ERROR)
		{
			PQclear(link->result);
			link->result = end;
			raise_remote(link);
		}
		PQclear(end);
		if (status == PGRES_PIPELINE_SYNC)
			return;
	}
}

/*
 * The answer to the oldest request that has none yet: the first column of its
 * first row, data = NULL if there is none.  Valid until the next call.  Errors
 * of the peer are raised with their SQLSTATE.
 */
TgBytes
tg_link_receive(TgLink *link, int timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	TgBytes		answer = {NULL, 0};

	if (link->result != NULL)
		PQclear(link->result);
	link->result = NULL;
	link->result = next_result(link, deadline);
	switch (PQresultStatus(link->result))
	{
		case PGRES_TUPLES_OK:
			if (PQntuples(link->result) > 0 && !PQgetisnull(link->result, 0, 0))
			{
				answer.data = PQgetvalue(link->result, 0, 0);
				answer.len = PQgetlength(link->result, 0, 0);
			}
			break;
		case PGRES_COMMAND_OK:
			break;
		default:
			raise_remote(link);
	}

	receive_end(link, deadline);
	return answer;
}

/*
 * Send a statement and wait for its one value, as text; NULL if there is none.
 * No other request may be under way.
 */
char *
tg_link_ask(TgLink *link, const char *sql, int nparams, const TgLinkParam *params)
{
	TgBytes		answer;

	tg_link_send(link, sql, nparams, params);
	answer = tg_link_receive(link, tg_connect_timeout_ms);
	return answer.data == NULL ? NULL : pnstrdup(answer.data, answer.len);
}

static void
drop_result(TgLink *link)
{
	if (link->result != NULL)
		PQclear(link->result);
	link->result = NULL;
}

/*
 * Take the next result of a simple query; it must be of this kind.
 */
static void
require_result(TgLink *link, ExecStatusType status, TimestampTz deadline)
{
	drop_result(link);
	link->result = next_result(link, deadline);
	if (PQresultStatus(link->result) == status)
		return;
	if (PQresultStatus(link->result) == PGRES_FATAL_ERROR)
		raise_remote(link);
	fail(link, "unexpected answer from peer");
}

/*
 * Send a COPY of one column TO STDOUT in binary form and wait for it to begin.
 * No other request may be under way, nor be sent before tg_link_copy_next()
 * has returned false.
 */
void
tg_link_copy_begin(TgLink *link, const char *sql)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_connect_timeout_ms);

	drop_result(link);
	link->has_copy_header = false;
	if (PQexitPipelineMode(link->conn) != 1 || PQsendQuery(link->conn, sql) != 1)
		fail(link, "lost the connection to peer");
	flush(link, deadline);
	require_result(link, PGRES_COPY_OUT, deadline);
}

/*
 * The rows of a COPY have all come.
 */
static void
end_copy(TgLink *link, TimestampTz deadline)
{
	require_result(link, PGRES_COMMAND_OK, deadline);
	drop_result(link);
	if (next_result(link, deadline) != NULL || PQenterPipelineMode(link->conn) != 1)
		fail(link, "lost the connection to peer");
}

/*
 * The value of a row in binary form: behind the header of the COPY if it is the
 * first, the number of its columns and the length.  False for the trailer.
 */
static bool
read_copied(TgLink *link, int len, TgBytes *value)
{
	TgReader	reader;

	tg_reader_init(&reader, link->row, len);
	if (!link->has_copy_header)
	{
		(void) tg_read_bytes(&reader, COPY_HEADER_BYTES);
		link->has_copy_header = true;
		if (tg_reader_ok(&reader) && tg_reader_at_end(&reader))
			return false;
	}
	if (tg_read_u16(&reader) == PG_UINT16_MAX)
		return false;
	*value = tg_read_counted(&reader);
	if (!tg_reader_ok(&reader) || !tg_reader_at_end(&reader))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken row of a copy from peer \"%s\"", link->peer)));
	return true;
}

/*
 * The value of the next row of a COPY, valid until the next call; false if
 * there is none.
 */
bool
tg_link_copy_next(TgLink *link, int timeout_ms, TgBytes *value)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);

	for (;;)
	{
		int			len;

		if (link->row != NULL)
			PQfreemem(link->row);
		link->row = NULL;
		len = PQgetCopyData(link->conn, &link->row, true);
		if (len > 0)
		{
			if (read_copied(link, len, value))
				return true;
			continue;
		}
		if (len < 0)
			break;
		if (wait_socket(link, WL_SOCKET_READABLE, deadline) != 0 &&
			PQconsumeInput(link->conn) != 1)
			fail(link, "lost the connection to peer");
	}
	end_copy(link, deadline);
	return false;
}

/*
 * Does the error mean that the peer is not there, or not now?  A cancelled
 * query is not among them: that is what our own user wants.
 */
bool
tg_link_is_absence(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_CONNECTION_EXCEPTION ||
		(ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_OPERATOR_INTERVENTION &&
		 sqlstate != ERRCODE_QUERY_CANCELED) ||
		sqlstate == ERRCODE_TG_NOT_A_NODE;
}

/*
 * Begin to connect and return at once.  Only the look-up of a host name is
 * waited for.  The link closes with the current memory context.
 */
TgLink *
tg_link_start(const char *dsn, const char *peer)
{
	TgLink	   *link = create_link(dsn, peer);

	link->progress = TG_LINK_CONNECTING;
	link->events = WL_SOCKET_WRITEABLE;
	if (PQstatus(link->conn) == CONNECTION_BAD)
		link->progress = TG_LINK_BROKEN;
	return link;
}

/*
 * Send a statement on an idle link and return at once.
 */
void
tg_link_begin(TgLink *link, const char *sql, int nparams, const TgLinkParam *params)
{
	Params		p;

	Assert(link->progress == TG_LINK_IDLE);

	set_params(&p, nparams, params);
	if (link->result != NULL)
		PQclear(link->result);
	link->result = NULL;
	link->progress = TG_LINK_BUSY;
	link->events = WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE;
	if (PQsendQueryParams(link->conn, sql, nparams, NULL, p.values, p.lengths, p.formats, 1) != 1)
		link->progress = TG_LINK_BROKEN;
}

static void
poll_connection(TgLink *link)
{
	switch (PQconnectPoll(link->conn))
	{
		case PGRES_POLLING_OK:
			if (PQsetnonblocking(link->conn, 1) != 0)
			{
				link->progress = TG_LINK_BROKEN;
				break;
			}
			link->progress = TG_LINK_IDLE;
			tg_link_begin(link, session_setup, 0, NULL);
			break;
		case PGRES_POLLING_READING:
			link->events = WL_SOCKET_READABLE;
			break;
		case PGRES_POLLING_WRITING:
			link->events = WL_SOCKET_WRITEABLE;
			break;
		default:
			link->progress = TG_LINK_BROKEN;
	}
}

/*
 * The whole answer has come.
 */
static void
end_answer(TgLink *link)
{
	link->events = WL_SOCKET_READABLE;
	if (link->result == NULL)
		link->progress = TG_LINK_BROKEN;
	else if (link->is_set_up)
		link->progress = TG_LINK_ANSWERED;
	else
	{
		link->is_set_up = PQresultStatus(link->result) == PGRES_TUPLES_OK;
		link->progress = link->is_set_up ? TG_LINK_IDLE : TG_LINK_BROKEN;
	}
}

static void
poll_answer(TgLink *link)
{
	int			rest = PQflush(link->conn);

	if (rest < 0 || PQconsumeInput(link->conn) != 1)
	{
		link->progress = TG_LINK_BROKEN;
		return;
	}
	link->events = WL_SOCKET_READABLE | (rest > 0 ? WL_SOCKET_WRITEABLE : 0);
	while (!PQisBusy(link->conn))
	{
		PGresult   *result = PQgetResult(link->conn);

		if (result == NULL)
		{
			end_answer(link);
			return;
		}
		if (link->result != NULL)
			PQclear(link->result);
		link->result = result;
	}
}

/*
 * See how far the link is by now; never waits.
 */
TgLinkProgress
tg_link_poll(TgLink *link)
{
	bool		is_ready = link->is_ready;

	link->is_ready = false;
	if (link->progress == TG_LINK_CONNECTING)
	{
		/* libpq takes the question for the news that the socket is ready */
		if (is_ready)
			poll_connection(link);
	}
	else if (link->progress == TG_LINK_BUSY)
		poll_answer(link);
	else if (link->progress == TG_LINK_IDLE && PQconsumeInput(link->conn) != 1)
		link->progress = TG_LINK_BROKEN;	/* the server has gone */

	if (link->progress != TG_LINK_BROKEN && PQstatus(link->conn) == CONNECTION_BAD)
		link->progress = TG_LINK_BROKEN;
	return link->progress;
}

/*
 * Take the answer of an answered link, which is idle then: true, and the first
 * column of the first row, valid until the next request.  False if the peer has
 * raised an error; tg_link_error() tells which.
 */
bool
tg_link_take_answer(TgLink *link, TgBytes *answer)
{
	Assert(link->progress == TG_LINK_ANSWERED);

	link->progress = TG_LINK_IDLE;
	if (PQresultStatus(link->result) != PGRES_TUPLES_OK || PQntuples(link->result) != 1)
		return false;
	answer->data = PQgetvalue(link->result, 0, 0);
	answer->len = PQgetlength(link->result, 0, 0);
	return true;
}

/*
 * What went wrong: the error that the peer has raised, with its SQLSTATE, or
 * what the connection suffers from.
 */
const char *
tg_link_error(TgLink *link, int *sqlstate)
{
	const char *state = PQresultErrorField(link->result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(link->result, PG_DIAG_MESSAGE_PRIMARY);

	*sqlstate = ERRCODE_CONNECTION_FAILURE;
	if (state == NULL || message == NULL)
		return pchomp(PQerrorMessage(link->conn));
	*sqlstate = MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]);
	return message;
}

/*
 * Wait until one of the links can go on, the latch is set, or the time is
 * over.  True if the latch was set; it is reset.  Links that are NULL, broken
 * or answered are not waited for.
 */
bool
tg_link_wait_any(TgLink **links, int nlinks, long timeout_ms)
{
	WaitEventSet *set = tg_create_wait_set(nlinks + 2);
	WaitEvent  *events = palloc((nlinks + 2) * sizeof(WaitEvent));
	bool		is_latch_set = false;
	int			n;

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (int i = 0; i < nlinks; i++)
	{
		TgLink	   *link = links[i];

		if (link != NULL && link->progress < TG_LINK_ANSWERED && PQsocket(link->conn) >= 0)
			AddWaitEventToSet(set, link->events, PQsocket(link->conn), NULL, link);
	}

	n = WaitEventSetWait(set, timeout_ms, events, nlinks + 2, tg_wait_event(TG_WAIT_PEER));
	for (int i = 0; i < n; i++)
	{
		if (events[i].events == WL_LATCH_SET)
			is_latch_set = true;
		else
			((TgLink *) events[i].user_data)->is_ready = true;
	}
	if (is_latch_set)
		ResetLatch(MyLatch);
	pfree(events);
	FreeWaitEventSet(set);
	return is_latch_set;
}
