/*-------------------------------------------------------------------------
 *
 * src/cluster/candidate.c
 *	  The members that clients may use, as this node sees them.
 *
 * Who owns a key is a matter of the view alone, so that all nodes agree on it;
 * whether a member can be reached now is a matter of opinion, and enters only
 * where any member will do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/candidate.h"
#include "cluster/detector.h"
#include "common/pg_prng.h"
#include "journal/inflight.h"
#include "port/atomics.h"
#include "transport/peer.h"

typedef struct CandidateShared
{
	pg_atomic_uint32 turns[TG_MAX_DATABASES];	/* of round robin; lock free */
} CandidateShared;

static CandidateShared *shared = NULL;

static int
compare_ids(const ListCell *a, const ListCell *b)
{
	return (int) ((TgMember *) lfirst(a))->node - (int) ((TgMember *) lfirst(b))->node;
}

/*
 * The active members in the order of their ids.  Errors out if this database
 * is not a node.
 */
List *
tg_members_by_id(void)
{
	List	   *members = NIL;
	ListCell   *lc;

	(void) tg_node_id_required();
	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active)
			members = lappend(members, member);
	}
	list_sort(members, compare_ids);
	return members;
}

/*
 * The active members in the order in which they are responsible for something,
 * a partition for example: the owner first.
 */
List *
tg_members_ranked(uint64 what)
{
	List	   *members = tg_members_by_id();
	List	   *ranked = NIL;
	int			n = list_length(members);
	TgNodeId   *nodes = palloc((n + 1) * sizeof(TgNodeId));
	ListCell   *lc;

	foreach(lc, members)
		nodes[foreach_current_index(lc)] = ((TgMember *) lfirst(lc))->node;
	tg_route_rank(what, nodes, n);
	for (int i = 0; i < n; i++)
	{
		foreach(lc, members)
			if (((TgMember *) lfirst(lc))->node == nodes[i])
			ranked = lappend(ranked, lfirst(lc));
	}
	return ranked;
}

static double
lag_ms(TgPosition reached, TgPosition last, uint64 now_ms)
{
	if (reached >= last)
		return 0;
	return now_ms > tg_stamp_ms(reached) ? now_ms - tg_stamp_ms(reached) : 0;
}

/*
 * We are as far behind as we have journals of peers to read.
 */
static void
describe_self(List *members, TgNodeId self, uint64 now_ms, TgCandidate *candidate)
{
	ListCell   *lc;

	candidate->node = self;
	candidate->lag_ms = 0;
	candidate->distance_us = 0;
	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);
		TgPeer		peer;

		if (member->node != self && tg_peer_get(member->node, &peer))
			candidate->lag_ms = Max(candidate->lag_ms,
									lag_ms(peer.cursor.position, peer.last_position, now_ms));
	}
}

/*
 * Describe a peer, unless it cannot be reached.
 */
static bool
describe_peer(TgNodeId node, uint64 now_ms, TgCandidate *candidate)
{
	TgPeer		peer;
	TgDetected	detected;

	if (!tg_peer_get(node, &peer) || peer.state != TG_PEER_STREAMING)
		return false;

	candidate->node = node;
	candidate->lag_ms = lag_ms(peer.acknowledged.position, tg_inflight_last_position(), now_ms);
	candidate->distance_us = PG_INT64_MAX;
	if (tg_detector_get(node, &detected))
	{
		if (detected.is_suspected)
			return false;
		if (detected.last.at != 0)
			candidate->distance_us = Max(detected.last.round_trip_us, 1);
	}
	return true;
}

static uint64
ticket_for(TgStrategy strategy, uint64 sticky_to)
{
	switch (strategy)
	{
		case TG_PICK_ROUND_ROBIN:
			return pg_atomic_fetch_add_u32(&shared->turns[tg_database_slot()], 1);
		case TG_PICK_RANDOM:
			return pg_prng_uint64(&pg_global_prng_state);
		default:
			return sticky_to;
	}
}

/*
 * Choose one of the members that can be used now.  NULL if there is none: this
 * node is not in the view, and no other is heard of.
 */
TgMember *
tg_member_pick(TgStrategy strategy, uint64 sticky_to)
{
	TgNodeId	self = tg_node_id_required();
	uint64		now_ms = tg_clock_wall_ms();
	List	   *members = tg_members_by_id();
	TgCandidate *candidates = palloc((list_length(members) + 1) * sizeof(TgCandidate));
	List	   *usable = NIL;
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);
		TgCandidate *candidate = &candidates[list_length(usable)];

		if (member->node == self)
			describe_self(members, self, now_ms, candidate);
		else if (!describe_peer(member->node, now_ms, candidate))
			continue;
		usable = lappend(usable, member);
	}
	if (usable == NIL)
		return NULL;
	return list_nth(usable, tg_route_pick(strategy, candidates, list_length(usable),
										  ticket_for(strategy, sticky_to)));
}

Size
tg_candidate_shmem_size(void)
{
	return sizeof(CandidateShared);
}

void
tg_candidate_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u32(&shared->turns[i], 0);
}
