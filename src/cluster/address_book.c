/*-------------------------------------------------------------------------
 *
 * src/cluster/address_book.c
 *	  topgun.node, made to say what the view says.
 *
 * The node that has had a view decided writes it there, and the rows travel.
 * It may die before, or a write of an older view may have the newer stamp; so
 * the member with the least id looks after it from time to time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "clock/identity.h"
#include "cluster/address_book.h"
#include "executor/spi.h"
#include "journal/stamping.h"
#include "transport/view_store.h"
#include "utils/builtins.h"

#define PATIENCE		3		/* what differs so often, stays */

/*
 * The members as a table of SQL.
 */
static char *
members_as_values(const TgView *view)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < view->nmembers; i++)
		appendStringInfo(&buf, "%s(%d, %s, %s)", i > 0 ? ", " : "", view->members[i].node,
						 quote_literal_cstr(view->members[i].name),
						 quote_literal_cstr(view->members[i].dsn));
	return buf.data;
}

/*
 * Write what differs, in the caller's transaction.  A node that is not in the
 * view has left, or was evicted: that stays as it was written when it went.
 * The connection string of a member is that of the book, which an operator
 * may change.
 */
void
tg_book_write(const TgView *view)
{
	bool		was = tg_write_for_cluster(true);
	const char *values = members_as_values(view);
	TgSqlSession session;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("UPDATE topgun.node AS n SET state = CASE WHEN v.id IS NOT NULL THEN 'active' ELSE %s END "
					  "FROM topgun.node AS o LEFT JOIN (VALUES %s) AS v (id, name, dsn) ON v.id = o.id "
					  "WHERE o.id = n.id AND (n.state = 'active') <> (v.id IS NOT NULL)",
					  view->reason == TG_VIEW_LEAVE ? "'left'" : "'evicted'", values);
	(void) tg_sql_run("INSERT INTO topgun.node (id, name, dsn) "
					  "SELECT v.id, v.name, v.dsn FROM (VALUES %s) AS v (id, name, dsn) "
					  "WHERE NOT EXISTS (SELECT FROM topgun.node AS n WHERE n.id = v.id)", values);
	tg_sql_end(&session);
	(void) tg_write_for_cluster(was);
}

static bool
is_right(const TgView *view)
{
	TgSqlSession session;
	uint64		nwrong;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	nwrong = tg_sql_run("SELECT FROM (SELECT id FROM topgun.node WHERE state = 'active') AS n "
						"FULL JOIN (VALUES %s) AS v (id, name, dsn) ON v.id = n.id "
						"WHERE n.id IS NULL OR v.id IS NULL", members_as_values(view));
	tg_sql_end(&session);
	return nwrong == 0;
}

/*
 * A task of the janitor: mend the book if it has been wrong for a while.
 */
bool
tg_book_keep(void)
{
	static int	nwrong = 0;
	TgView	   *view = tg_view_current();

	if (view == NULL || view->members[0].node != tg_node_id() || is_right(view))
		nwrong = 0;
	else if (++nwrong >= PATIENCE)
		tg_book_write(view);
	return false;
}
