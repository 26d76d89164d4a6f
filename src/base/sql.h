/*-------------------------------------------------------------------------
 *
 * src/base/sql.h
 *	  SQL that the extension runs for itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_SQL_H
#define TG_BASE_SQL_H

/* Who we were before tg_sql_begin(). */
typedef struct TgSqlSession
{
	Oid			saved_user;
	int			saved_sec_context;
	int			guc_nest;
} TgSqlSession;

extern void tg_sql_begin(TgSqlSession *session, Oid role);
extern uint64 tg_sql_run(const char *format,...) pg_attribute_printf(1, 2);
extern void tg_sql_end(TgSqlSession *session);

extern char *tg_sql_name(Oid relid);

#endif							/* TG_BASE_SQL_H */
