/*-------------------------------------------------------------------------
 *
 * src/transport/settled.c
 *	  Up to which stamp everybody's writes have arrived.
 *
 * Settled at a node is what it has merged of every active member, itself
 * included; each pull tells it to the peer, flushed.  Settled everywhere is
 * the least of what all active members have told since our start: no write up
 * to there can come to anybody any more, but for what a node has that is not
 * a member, or that has lost what it said it had.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "journal/cursor.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/settled.h"
#include "transport/state.h"

/*
 * The stamp up to which every active member's writes are merged and visible
 * here; TG_NO_STAMP if a member has never been heard of, or while a table is
 * not in step.
 */
TgStamp
tg_settled_here(TgNodeId self)
{
	TgStamp		settled = PG_UINT64_MAX;
	TgVector   *vector;
	ListCell   *lc;

	if (!tg_tables_in_step())
		return TG_NO_STAMP;

	vector = tg_own_vector(self);
	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active)
			settled = Min(settled, tg_vector_get(vector, member->node));
	}
	return settled == PG_UINT64_MAX ? TG_NO_STAMP : settled;
}

/*
 * The stamp up to which every active member's writes are merged at every
 * active member; TG_NO_STAMP if one of them has not said.  Of ourselves what
 * is visible will do, for whoever acts on it: what he writes is flushed after
 * what he has seen.
 */
TgStamp
tg_settled_everywhere(TgNodeId self)
{
	TgStamp		settled = tg_settled_here(self);
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);
		TgPeer		peer;

		if (!member->is_active || member->node == self)
			continue;
		if (!tg_peer_get(member->node, &peer))
			return TG_NO_STAMP;
		settled = Min(settled, peer.settled);
	}
	return settled;
}
