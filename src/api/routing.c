/*-------------------------------------------------------------------------
 *
 * src/api/routing.c
 *	  SQL functions that tell clients which node to use.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "base/hash.h"
#include "catalog/pg_type.h"
#include "cluster/candidate.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "row/table.h"
#include "transport/link.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(topgun_route);
PG_FUNCTION_INFO_V1(topgun_pick_node);
PG_FUNCTION_INFO_V1(topgun_endpoints);

#define MAX_BACKUPS			2

/* What of a member's connection string is any client's business. */
static const char *const public_options[] = {"service", "host", "hostaddr", "port", "dbname"};

/*
 * The values after "rel" in the call, as the table's key has them.
 */
typedef struct KeyArguments
{
	int			n;
	Datum	   *values;
	Oid		   *types;
	bool	   *nulls;
} KeyArguments;

/*
 * A value as one of the key column's type, as INSERT would take it.
 */
static Datum
to_column(Datum value, Oid type, const TgValueType *column)
{
	Oid			output;
	Oid			input;
	Oid			param;
	bool		is_varlena;

	if (getBaseType(type) == column->type && column->typmod < 0)
		return value;
	getTypeOutputInfo(type, &output, &is_varlena);
	getTypeInputInfo(column->type, &input, &param);
	return OidInputFunctionCall(input, OidOutputFunctionCall(output, value), param,
								column->typmod);
}

static uint64
hash_of_key(Relation rel, const KeyArguments *key)
{
	TgTable    *table = tg_table_get(rel);
	Datum		values[INDEX_MAX_KEYS];

	if (table->id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not replicated", RelationGetRelationName(rel)),
				 errhint("See topgun.stat_table for the tables that are.")));
	if (key->n != table->key->ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has a key of %d columns, %d values are given",
						RelationGetRelationName(rel), table->key->ncolumns, key->n)));
	for (int i = 0; i < key->n; i++)
	{
		if (key->nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("key values must not be null")));
		values[i] = to_column(key->values[i], key->types[i], &table->key->columns[i].value);
	}
	return tg_key_route_hash(table->key, values);
}

/*
 * Quote a value for a connection string.
 */
static void
append_quoted(StringInfo buf, const char *value)
{
	appendStringInfoChar(buf, '\'');
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			appendStringInfoChar(buf, '\\');
		appendStringInfoChar(buf, *value);
	}
	appendStringInfoChar(buf, '\'');
}

/*
 * How a client reaches a member: where it is, not as whom the peers come.
 */
static char *
public_dsn(const TgMember *member)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < lengthof(public_options); i++)
	{
		char	   *value = tg_link_option(member->dsn, public_options[i]);

		if (value == NULL)
			continue;
		appendStringInfo(&buf, "%s%s=", buf.len > 0 ? " " : "", public_options[i]);
		append_quoted(&buf, value);
	}
	return buf.data;
}

static Datum
names_of_backups(List *ranked)
{
	Datum		names[MAX_BACKUPS];
	int			n = Min(list_length(ranked) - 1, MAX_BACKUPS);

	for (int i = 0; i < n; i++)
		names[i] = CStringGetTextDatum(((TgMember *) list_nth(ranked, i + 1))->name);
	return PointerGetDatum(construct_array(names, Max(n, 0), TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
to_record(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * topgun.route(rel, key values): the partition of the key, the member that
 * owns it, and the members to turn to if that one cannot be reached.  It
 * follows from key and view alone, so all nodes of one view say the same.
 */
Datum
topgun_route(PG_FUNCTION_ARGS)
{
	KeyArguments key;
	Relation	rel;
	int			partition;
	List	   *ranked;
	TgMember   *owner;
	Datum		values[5];
	bool		nulls[lengthof(values)] = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("table must not be null")));
	key.n = extract_variadic_args(fcinfo, 1, true, &key.values, &key.types, &key.nulls);
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	partition = tg_route_partition(hash_of_key(rel, &key));
	relation_close(rel, AccessShareLock);

	ranked = tg_members_ranked(partition);
	if (ranked == NIL)
		PG_RETURN_NULL();
	owner = linitial(ranked);
	values[0] = Int32GetDatum(partition);
	values[1] = Int32GetDatum(owner->node);
	values[2] = CStringGetTextDatum(owner->name);
	values[3] = CStringGetTextDatum(public_dsn(owner));
	values[4] = names_of_backups(ranked);
	PG_RETURN_DATUM(to_record(fcinfo, values, nulls));
}

static TgStrategy
read_strategy(const char *name)
{
	static const char *const names[] = {
		[TG_PICK_ROUND_ROBIN] = "round_robin",
		[TG_PICK_RANDOM] = "random",
		[TG_PICK_LEAST_LAG] = "least_lag",
		[TG_PICK_NEAREST] = "nearest",
		[TG_PICK_STICKY] = "sticky",
	};

	for (int i = 0; i < lengthof(names); i++)
		if (strcmp(names[i], name) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown strategy \"%s\"", name),
			 errhint("Use round_robin, random, least_lag, nearest or sticky.")));
}

/*
 * What tells this client from others, in this session and in its next.
 */
static uint64
hash_of_client(void)
{
	const char *parts[] = {
		GetUserNameFromId(GetSessionUserId(), false),
		MyProcPort != NULL && MyProcPort->remote_host != NULL ? MyProcPort->remote_host : "",
		GetConfigOption("application_name", true, false)
	};
	TgBytes		bytes[lengthof(parts)];

	/* with the end of each string, so that they do not run into each other */
	for (int i = 0; i < lengthof(parts); i++)
		bytes[i] = tg_bytes(parts[i] != NULL ? parts[i] : "", parts[i] != NULL ? strlen(parts[i]) + 1 : 1);
	return tg_hash64_parts(bytes, lengthof(bytes));
}

/*
 * topgun.pick_node(strategy): one of the members that can be reached.
 */
Datum
topgun_pick_node(PG_FUNCTION_ARGS)
{
	TgStrategy	strategy = read_strategy(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	TgMember   *member = tg_member_pick(strategy, hash_of_client());
	Datum		values[3];
	bool		nulls[lengthof(values)] = {0};

	if (member == NULL)
		PG_RETURN_NULL();
	values[0] = Int32GetDatum(member->node);
	values[1] = CStringGetTextDatum(member->name);
	values[2] = CStringGetTextDatum(public_dsn(member));
	PG_RETURN_DATUM(to_record(fcinfo, values, nulls));
}

/*
 * Add a member to a connection string of many hosts.
 */
static void
append_endpoint(StringInfo hosts, StringInfo ports, const char *dbname, const TgMember *member)
{
	char	   *host = tg_link_option(member->dsn, "host");
	char	   *port = tg_link_option(member->dsn, "port");
	char	   *other = tg_link_option(member->dsn, "dbname");

	if (host == NULL)
		host = tg_link_option(member->dsn, "hostaddr");
	if (host == NULL || strchr(host, ',') != NULL || other == NULL || strcmp(other, dbname) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("no connection string leads to all members"),
				 errdetail("That of node \"%s\" does not name one host and the database \"%s\".",
						   member->name, dbname)));
	appendStringInfo(hosts, "%s%s", hosts->len > 0 ? "," : "", host);
	appendStringInfo(ports, "%s%s", ports->len > 0 ? "," : "", port != NULL ? port : "");
}

/*
 * topgun.endpoints(): one libpq connection string for all members.  libpq
 * tries the hosts in their order, which is that of the node ids.
 */
Datum
topgun_endpoints(PG_FUNCTION_ARGS)
{
	List	   *members = tg_members_by_id();
	StringInfoData hosts;
	StringInfoData ports;
	StringInfoData result;
	char	   *dbname;
	ListCell   *lc;

	if (members == NIL)
		PG_RETURN_NULL();
	initStringInfo(&hosts);
	initStringInfo(&ports);
	initStringInfo(&result);
	dbname = tg_link_option(((TgMember *) linitial(members))->dsn, "dbname");
	foreach(lc, members)
		append_endpoint(&hosts, &ports, dbname != NULL ? dbname : "", lfirst(lc));

	appendStringInfoString(&result, "host=");
	append_quoted(&result, hosts.data);
	appendStringInfoString(&result, " port=");
	append_quoted(&result, ports.data);
	appendStringInfoString(&result, " dbname=");
	append_quoted(&result, dbname);
	PG_RETURN_TEXT_P(cstring_to_text(result.data));
}
