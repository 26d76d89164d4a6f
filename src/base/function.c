/*-------------------------------------------------------------------------
 *
 * src/base/function.c
 *	  The extension's own SQL functions, as planner and triggers see them.
 *
 * The planner hook asks in every database of the server, so the answer "there
 * is no such function" is remembered as well, until pg_proc changes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/catalog.h"
#include "base/function.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/syscache.h"

static const struct
{
	const char *schema;
	const char *name;
}			names[] = {
	[TG_FN_CAPTURE] = {"topgun_internal", "capture"},
	[TG_FN_CURRENT_STAMP] = {"topgun", "current_stamp"},
	[TG_FN_TRUNCATE] = {"topgun_internal", "capture_truncate"},
};

static struct
{
	bool		listening;
	bool		known[TG_FUNCTION_COUNT];
	Oid			oids[TG_FUNCTION_COUNT];
}			cache;

static void
forget(Datum arg, int cacheid, uint32 hashvalue)
{
	memset(cache.known, 0, sizeof(cache.known));
}

static Oid
look_up(TgFunction which)
{
	Oid			schema = get_namespace_oid(names[which].schema, true);
	oidvector  *no_arguments;

	if (!OidIsValid(schema) || !tg_catalog_exists())
		return InvalidOid;
	no_arguments = buildoidvector(NULL, 0);
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(names[which].name),
						   PointerGetDatum(no_arguments),
						   ObjectIdGetDatum(schema));
}

/*
 * The OID of a function, or InvalidOid if the extension is not installed in
 * this database.  Needs a transaction; looks into the catalog once.
 */
Oid
tg_function_oid(TgFunction which)
{
	Oid			oid;

	Assert(IsTransactionState());

	if (likely(cache.known[which]))
		return cache.oids[which];

	if (!cache.listening)
	{
		CacheRegisterSyscacheCallback(PROCOID, forget, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget, (Datum) 0);
		cache.listening = true;
	}

	oid = look_up(which);
	cache.oids[which] = oid;
	cache.known[which] = true;
	return oid;
}
