/*-------------------------------------------------------------------------
 *
 * src/cluster/leave.c
 *	  How a node becomes an ordinary database again.
 *
 *	1. wait until all that it has is at every member;
 *	2. lock out writers, and wait once more for the little that came since;
 *	3. have a view decided without it: from here on there is no way back but
 *	   topgun.rejoin();
 *	4. make the tables what they were before, and forget the cluster.
 * The last step is in the caller's transaction.  If that fails the node is
 * fenced, and leaving again goes on there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/error.h"
#include "base/guc.h"
#include "base/sql.h"
#include "capture/attach.h"
#include "catalog/pg_authid_d.h"
#include "clock/identity.h"
#include "cluster/leave.h"
#include "cluster/sync.h"
#include "cluster/view_errand.h"
#include "miscadmin.h"
#include "row/table.h"
#include "storage/lmgr.h"
#include "transport/peer.h"
#include "transport/member.h"
#include "transport/state.h"
#include "transport/view_store.h"
#include "utils/lsyscache.h"

#define SYNC_TIMEOUT_MS		60000
#define LAST_TIMEOUT_MS		10000	/* while writers wait */

static void
require_sent(bool is_sent)
{
	if (!is_sent)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("not all that this node has is at every member"),
				 errhint("See topgun.stat_peer, and evict members that are gone.")));
}

/*
 * The tables of users that are attached here, of TgTableState.
 */
static List *
attached_tables(void)
{
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);

		if (state->table >= TG_FIRST_USER_TABLE && OidIsValid(state->relid) &&
			get_rel_name(state->relid) != NULL)
			tables = lappend(tables, state);
	}
	return tables;
}

/*
 * Have a view decided without this node, once all that it has is elsewhere.
 * Keeps the tables locked against writers until the transaction ends.
 */
void
tg_leave_view(void)
{
	TgNodeId	self = tg_node_id_required();
	TgView	   *view = tg_view_current();
	const TgViewMember *member = view != NULL ? tg_view_find(view, self) : NULL;
	TgViewChange change = {.reason = TG_VIEW_LEAVE,.node = self};
	ListCell   *lc;

	if (member == NULL || view->nmembers == 1)
		return;					/* nobody has to agree */

	require_sent(tg_wait_for_sync(SYNC_TIMEOUT_MS));
	foreach(lc, attached_tables())
	{
		LockRelationOid(((TgTableState *) lfirst(lc))->relid, ShareRowExclusiveLock);
	}
	require_sent(tg_wait_until_sent(LAST_TIMEOUT_MS));
	change.name = member->name;
	(void) tg_view_change_apart(&change);
}

static void
forget_peers(void)
{
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgPeer		peer;

		if (tg_peer_get(((TgMember *) lfirst(lc))->node, &peer))
			tg_peer_forget(peer.node);
	}
}

/*
 * Make the tables ordinary ones and forget that this was a node, in the
 * caller's transaction.  The workers of this database have left it.  What the
 * shared memory knows is to be forgotten when the transaction has committed.
 */
void
tg_leave_nothing(void)
{
	TgSqlSession session;
	ListCell   *lc;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	foreach(lc, attached_tables())
	{
		TgTableState *state = lfirst(lc);
		Relation	rel = relation_open(state->relid, AccessExclusiveLock);
		bool		is_attached = tg_table_id(rel) != 0;

		relation_close(rel, NoLock);
		if (is_attached)
			tg_table_detach(state->relid);
	}
	forget_peers();
	(void) tg_sql_run("SELECT topgun_internal.forget_cluster()");
	tg_sql_end(&session);
}
