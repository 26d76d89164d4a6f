/*-------------------------------------------------------------------------
 *
 * src/api/tables.c
 *	  SQL functions around replicated tables: add, remove, stamp.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/catalog.h"
#include "base/sql.h"
#include "capture/announce.h"
#include "capture/attach.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid_d.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "cluster/tables.h"
#include "commands/sequence.h"
#include "fmgr.h"
#include "journal/stamping.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "row/table.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define LOCAL_BITS			20	/* of a table id; the node's are above */

typedef struct TableOptions
{
	bool		stamping_by_trigger;
} TableOptions;

PG_FUNCTION_INFO_V1(topgun_current_stamp);
PG_FUNCTION_INFO_V1(topgun_add_table);
PG_FUNCTION_INFO_V1(topgun_remove_table);

/*
 * The stamp of a row that is written now.  Labelled STABLE in SQL, which it
 * is not, so that COPY still inserts many rows at a time.
 */
Datum
topgun_current_stamp(PG_FUNCTION_ARGS)
{
	PreventCommandDuringRecovery("topgun.current_stamp()");
	PG_RETURN_TGSTAMP(tg_write_stamp());
}

static void
refuse_option(const char *message, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg(message, value),
			 errhint("Options are a JSON object; there is one: {\"stamping\": \"planner\"} or {\"stamping\": \"trigger\"}.")));
}

static void
take_option(TableOptions *options, const char *name, JsonbValue *value)
{
	char	   *text;

	if (strcmp(name, "stamping") != 0)
		refuse_option("unrecognized option \"%s\" of a replicated table", name);
	if (value->type != jbvString)
		refuse_option("option \"%s\" of a replicated table must be a string", name);

	text = pnstrdup(value->val.string.val, value->val.string.len);

	if (strcmp(text, "trigger") == 0)
		options->stamping_by_trigger = true;
	else if (strcmp(text, "planner") == 0)
		options->stamping_by_trigger = false;
	else
		refuse_option("invalid value \"%s\" of option \"stamping\"", text);
}

static TableOptions
read_options(Jsonb *json)
{
	TableOptions options = {0};
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(json))
		refuse_option("options \"%s\" are not a JSON object",
					  JsonbToCString(NULL, &json->root, VARSIZE(json)));

	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		(void) JsonbIteratorNext(&iterator, &value, true);
		take_option(&options, name, &value);
	}
	return options;
}

static TgTableId
next_table_id(void)
{
	Oid			sequence = get_relname_relid("table_number",
											 get_namespace_oid("topgun_internal", false));

	return tg_node_id_required() << LOCAL_BITS | (TgTableId) nextval_internal(sequence, false);
}

static Oid
require_relation(FunctionCallInfo fcinfo, const char *function)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("table must not be null"),
				 errhint("Use %s('schema.table').", function)));
	return PG_GETARG_OID(0);
}

/*
 * topgun.add_table(rel, options): replicate a table; its id.
 */
Datum
topgun_add_table(PG_FUNCTION_ARGS)
{
	Oid			relid = require_relation(fcinfo, "topgun.add_table");
	TableOptions options = {0};
	const char *json = "{}";
	TgSqlSession session;
	TgTableId	id;

	(void) tg_node_id_required();
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("options must not be null"),
				 errhint("Leave them out, or use '{}'.")));
	options = read_options(PG_GETARG_JSONB_P(1));
	json = JsonbToCString(NULL, &PG_GETARG_JSONB_P(1)->root, VARSIZE(PG_GETARG_JSONB_P(1)));

	id = next_table_id();
	tg_table_attach(relid, id, options.stamping_by_trigger);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	tg_sql_run("INSERT INTO topgun.replicated_table (id, schema_name, table_name, options)"
			   " VALUES (%d, %s, %s, %s)", id,
			   quote_literal_cstr(get_namespace_name(get_rel_namespace(relid))),
			   quote_literal_cstr(get_rel_name(relid)), quote_literal_cstr(json));
	tg_sql_run("INSERT INTO topgun.table_state (table_id, relid, state) VALUES (%d, %u, 'synced')",
			   id, relid);
	tg_sql_end(&session);

	tg_table_announce(relid);
	PG_RETURN_INT32(id);
}

/*
 * topgun.remove_table(rel): replicate it no more, on any node.
 */
Datum
topgun_remove_table(PG_FUNCTION_ARGS)
{
	Oid			relid = require_relation(fcinfo, "topgun.remove_table");
	TgSqlSession session;
	Relation	rel;
	TgTableId	id;

	(void) tg_node_id_required();
	if (relid == tg_catalog_oid(TG_CAT_NODE) || relid == tg_catalog_oid(TG_CAT_REPLICATED_TABLE))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table \"%s\" is part of every cluster", get_rel_name(relid)),
				 errhint("Tables of users can be removed.")));

	rel = try_relation_open(relid, AccessShareLock);
	id = rel ? tg_table_id(rel) : 0;
	if (rel)
		relation_close(rel, AccessShareLock);
	tg_table_detach(relid);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	tg_sql_run("DELETE FROM topgun.replicated_table WHERE id = %d", id);
	tg_sql_run("DELETE FROM topgun.table_state WHERE table_id = %d", id);
	tg_sql_end(&session);
	tg_table_forget(id);
	PG_RETURN_VOID();
}
