/*-------------------------------------------------------------------------
 *
 * src/cluster/readmit.c
 *	  Taking a former member back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "clock/identity.h"
#include "cluster/reach.h"
#include "cluster/readmit.h"
#include "cluster/view_errand.h"
#include "transport/member.h"
#include "transport/view_store.h"

static TgMember *
require_known(TgNodeId node)
{
	TgMember   *member = tg_member_find(node);

	if (member == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TG_UNKNOWN_PEER),
				 errmsg("node %d has never been a member of this cluster", node),
				 errhint("Use topgun.join() on that node.")));
	return member;
}

/*
 * A node that was a member, or still is, wants to be one anew: the bytes of a
 * view, later than the epoch that it knows, with it in it.  Errors out unless
 * the cluster's connection string for it leads to the database that asks: a
 * copy of it is somebody else.
 */
TgBytes
tg_readmit(TgNodeId node, const char *identity, TgEpoch after)
{
	TgMember   *member;
	TgViewChange change = {.reason = TG_VIEW_REJOIN,.node = node,.after = after};

	(void) tg_node_id_required();
	member = require_known(node);
	tg_require_leads_to(member->dsn, member->name, identity);
	change.name = member->name;
	change.dsn = member->dsn;
	return tg_view_bytes(tg_view_change_apart(&change));
}
