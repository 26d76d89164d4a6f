/*-------------------------------------------------------------------------
 *
 * src/cluster/event.c
 *	  What has happened, for programs that listen to channel "topgun".
 *
 * A payload is an object of JSON.  It is sent when the transaction commits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/event.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#define CHANNEL			"topgun"

static void
begin(StringInfo payload, const char *event, TgNodeId node)
{
	initStringInfo(payload);
	appendStringInfo(payload, "{\"event\": \"%s\", \"node_id\": %d", event, node);
}

static void
end(StringInfo payload)
{
	appendStringInfoChar(payload, '}');
	Async_Notify(CHANNEL, payload->data);
	pfree(payload->data);
}

/*
 * Something has happened to a node.  Needs a transaction.
 */
void
tg_event_of_node(const char *event, TgNodeId node, const char *name)
{
	StringInfoData payload;

	begin(&payload, event, node);
	appendStringInfoString(&payload, ", \"name\": ");
	escape_json(&payload, name);
	end(&payload);
}

/*
 * A node has got a token, or has given it back.  Needs a transaction.
 */
void
tg_event_of_token(const char *event, TgNodeId node, const char *resource, int64 token)
{
	StringInfoData payload;

	begin(&payload, event, node);
	appendStringInfoString(&payload, ", \"resource\": ");
	escape_json(&payload, resource);
	appendStringInfo(&payload, ", \"token\": " INT64_FORMAT, token);
	end(&payload);
}
