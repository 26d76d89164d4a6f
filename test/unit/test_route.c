/*-------------------------------------------------------------------------
 *
 * test/unit/test_route.c
 *	  Which member a key belongs to, and which one to use.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/route.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_route);

#define MANY			64

static TgNodeId
owner_of(int partition, const TgNodeId *nodes, int nnodes)
{
	TgNodeId	ranked[MANY + 1];

	memcpy(ranked, nodes, nnodes * sizeof(TgNodeId));
	tg_route_rank(partition, ranked, nnodes);
	return ranked[0];
}

/*
 * So many different nodes, in any order.
 */
static void
make_nodes(TgNodeId *nodes, int nnodes)
{
	for (int i = 0; i < nnodes; i++)
	{
		bool		is_new = false;

		while (!is_new)
		{
			nodes[i] = unit_node();
			is_new = true;
			for (int k = 0; k < i; k++)
				is_new &= nodes[k] != nodes[i];
		}
	}
}

static void
check_partitions(void)
{
	int			counts[TG_PARTITIONS] = {0};

	for (int i = 0; i < TG_PARTITIONS * 100; i++)
	{
		int			partition = tg_route_partition(unit_below(PG_UINT64_MAX));

		CHECK(partition >= 0 && partition < TG_PARTITIONS);
		counts[partition]++;
	}
	for (int i = 0; i < TG_PARTITIONS; i++)
		CHECK_SHOWING(counts[i] > 30 && counts[i] < 200, "partition %d: %d", i, counts[i]);
}

/*
 * A node that comes takes partitions over and moves none between others; what
 * it takes is about its share.
 */
static void
check_one_more(void)
{
	int			nnodes = 1 + unit_below(8);
	TgNodeId	nodes[MANY + 1];
	int			moved = 0;
	int			share;

	make_nodes(nodes, nnodes + 1);
	for (int partition = 0; partition < TG_PARTITIONS; partition++)
	{
		TgNodeId	before = owner_of(partition, nodes, nnodes);
		TgNodeId	after = owner_of(partition, nodes, nnodes + 1);

		CHECK_SHOWING(after == before || after == nodes[nnodes], "%d moved from %d to %d",
					  partition, before, after);
		moved += after != before;
	}
	share = TG_PARTITIONS / (nnodes + 1);
	CHECK_SHOWING(moved > share / 3 && moved < share * 2, "%d of %d moved to node %d of %d",
				  moved, TG_PARTITIONS, nodes[nnodes], nnodes + 1);
}

/*
 * Of a node that goes each partition falls to its first backup.
 */
static void
check_one_less(void)
{
	int			nnodes = 2 + unit_below(8);
	TgNodeId	nodes[MANY];

	make_nodes(nodes, nnodes);
	for (int partition = 0; partition < TG_PARTITIONS; partition++)
	{
		TgNodeId	ranked[MANY];

		memcpy(ranked, nodes, nnodes * sizeof(TgNodeId));
		tg_route_rank(partition, ranked, nnodes);
		for (int i = 0; i < nnodes; i++)
		{
			TgNodeId	rest[MANY];
			int			nrest = 0;

			for (int k = 0; k < nnodes; k++)
				if (nodes[k] != ranked[i])
					rest[nrest++] = nodes[k];
			CHECK(owner_of(partition, rest, nrest) == ranked[i == 0 ? 1 : 0]);
		}
	}
}

static void
check_order_is_no_matter(void)
{
	int			nnodes = 1 + unit_below(MANY);
	TgNodeId	nodes[MANY];
	TgNodeId	other[MANY];
	uint64		what = unit_edgy(PG_UINT64_MAX);

	make_nodes(nodes, nnodes);
	for (int i = 0; i < nnodes; i++)
		other[i] = nodes[nnodes - 1 - i];
	tg_route_rank(what, nodes, nnodes);
	tg_route_rank(what, other, nnodes);
	CHECK(memcmp(nodes, other, nnodes * sizeof(TgNodeId)) == 0);
}

/*
 * All nodes of a cluster must agree, whatever they run on.
 */
static void
check_pinned(void)
{
	static const TgNodeId expected[3][5] = {{5, 3, 4, 2, 1}, {1, 3, 4, 5, 2}, {4, 2, 3, 5, 1}};

	CHECK(tg_route_partition(UINT64CONST(0xf1e2d3c4b5a69788)) == UINT64CONST(0xf1e2d3c4b5a69788) % 271);
	for (int partition = 0; partition < 3; partition++)
	{
		TgNodeId	nodes[5] = {1, 2, 3, 4, 5};

		tg_route_rank(partition, nodes, 5);
		for (int i = 0; i < 5; i++)
			CHECK_SHOWING(nodes[i] == expected[partition][i], "partition %d: %d %d %d %d %d", partition,
						  nodes[0], nodes[1], nodes[2], nodes[3], nodes[4]);
	}
}

static void
check_picks(void)
{
	static const TgCandidate candidates[] = {
		{.node = 2,.lag_ms = 5,.distance_us = 0},
		{.node = 4,.lag_ms = 0,.distance_us = 900},
		{.node = 7,.lag_ms = 0,.distance_us = 100},
	};
	int			seen[3] = {0};
	uint64		client = unit_below(PG_UINT64_MAX);
	int			sticks_to = tg_route_pick(TG_PICK_STICKY, candidates, 3, client);

	for (uint64 turn = PG_UINT32_MAX - 2; turn < (uint64) PG_UINT32_MAX + 1; turn++)
		seen[tg_route_pick(TG_PICK_ROUND_ROBIN, candidates, 3, turn)]++;
	CHECK(seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
	CHECK(tg_route_pick(TG_PICK_RANDOM, candidates, 3, client) == client % 3);
	CHECK(tg_route_pick(TG_PICK_NEAREST, candidates, 3, 0) == 0);
	CHECK(tg_route_pick(TG_PICK_NEAREST, candidates + 1, 2, 0) == 1);
	CHECK(tg_route_pick(TG_PICK_LEAST_LAG, candidates, 3, 0) == 2);
	CHECK(tg_route_pick(TG_PICK_LEAST_LAG, candidates, 2, 0) == 1);
	CHECK(tg_route_pick(TG_PICK_STICKY, candidates, 3, client) == sticks_to);

	/* it stays where it is when another goes */
	if (sticks_to != 2)
		CHECK(tg_route_pick(TG_PICK_STICKY, candidates, 2, client) == sticks_to);
	if (sticks_to != 0)
		CHECK(tg_route_pick(TG_PICK_STICKY, candidates + 1, 2, client) == sticks_to - 1);
}

/*
 * The suite.
 */
Datum
test_route(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	check_pinned();
	check_partitions();
	for (int i = 0; i < Min(rounds, 200); i++)
	{
		check_one_more();
		check_one_less();
		check_order_is_no_matter();
		check_picks();
	}
	PG_RETURN_VOID();
}
