/*-------------------------------------------------------------------------
 *
 * src/base/sql.c
 *	  SQL that the extension runs for itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/sql.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/*
 * Begin to run SQL as a role, with a search path that nobody else can put
 * anything into.  The caller has checked that its user may do what comes.
 * Mirrored by tg_sql_end(); an error takes everything back by itself.
 */
void
tg_sql_begin(TgSqlSession *session, Oid role)
{
	GetUserIdAndSecContext(&session->saved_user, &session->saved_sec_context);
	SetUserIdAndSecContext(role, session->saved_sec_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	session->guc_nest = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
}

/*
 * Run one statement; the number of rows it has processed.  Whatever is put
 * into it must be quoted by the caller.
 */
uint64
tg_sql_run(const char *format,...)
{
	StringInfoData sql;
	int			save_errno = errno;
	int			result;

	initStringInfo(&sql);
	for (;;)
	{
		va_list		args;
		int			needed;

		errno = save_errno;
		va_start(args, format);
		needed = appendStringInfoVA(&sql, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}

	result = SPI_execute(sql.data, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	pfree(sql.data);
	return SPI_processed;
}

/*
 * Become who we were.
 */
void
tg_sql_end(TgSqlSession *session)
{
	SPI_finish();
	AtEOXact_GUC(true, session->guc_nest);
	SetUserIdAndSecContext(session->saved_user, session->saved_sec_context);
}

/*
 * The qualified, quoted name of a relation that exists.
 */
char *
tg_sql_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}
