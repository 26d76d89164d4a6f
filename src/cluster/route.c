/*-------------------------------------------------------------------------
 *
 * src/cluster/route.c
 *	  Which member a key belongs to, and which one to use.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/hash.h"
#include "cluster/route.h"
#include "port/pg_bswap.h"

/*
 * The partition of a key: 0..TG_PARTITIONS-1.
 */
int
tg_route_partition(uint64 key_hash)
{
	return key_hash % TG_PARTITIONS;
}

static uint64
score(uint64 what, TgNodeId node)
{
	uint64		what_bytes = pg_hton64(what);
	uint16		node_bytes = pg_hton16(node);
	TgBytes		parts[] = {
		tg_bytes(&what_bytes, sizeof(what_bytes)),
		tg_bytes(&node_bytes, sizeof(node_bytes))
	};

	return tg_hash64_parts(parts, lengthof(parts));
}

static bool
comes_before(uint64 what, TgNodeId a, TgNodeId b)
{
	uint64		score_a = score(what, a);
	uint64		score_b = score(what, b);

	return score_a != score_b ? score_a > score_b : a < b;
}

/*
 * Bring nodes into the order in which they are responsible for something, a
 * partition for example: the owner first, then its backups.  The same on every
 * node, whatever the order was before.
 */
void
tg_route_rank(uint64 what, TgNodeId *nodes, int nnodes)
{
	for (int i = 1; i < nnodes; i++)
	{
		TgNodeId	node = nodes[i];
		int			place = i;

		while (place > 0 && comes_before(what, node, nodes[place - 1]))
		{
			nodes[place] = nodes[place - 1];
			place--;
		}
		nodes[place] = node;
	}
}

static bool
is_better(TgStrategy strategy, const TgCandidate *a, const TgCandidate *b, uint64 ticket)
{
	switch (strategy)
	{
		case TG_PICK_LEAST_LAG:
			if (a->lag_ms != b->lag_ms)
				return a->lag_ms < b->lag_ms;
			break;
		case TG_PICK_STICKY:
			return comes_before(ticket, a->node, b->node);
		default:
			break;
	}
	return a->distance_us != b->distance_us ? a->distance_us < b->distance_us :
		a->node < b->node;
}

/*
 * Choose one of n > 0 candidates, who come in the order of their ids; the
 * result is its index.  The ticket is the number of the turn, a random number,
 * or what sticks to one member for as long as that can be used.
 */
int
tg_route_pick(TgStrategy strategy, const TgCandidate *candidates, int n, uint64 ticket)
{
	int			best = 0;

	Assert(n > 0);

	if (strategy == TG_PICK_ROUND_ROBIN || strategy == TG_PICK_RANDOM)
		return ticket % n;

	for (int i = 1; i < n; i++)
		if (is_better(strategy, &candidates[i], &candidates[best], ticket))
			best = i;
	return best;
}
