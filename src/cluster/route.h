/*-------------------------------------------------------------------------
 *
 * src/cluster/route.h
 *	  Which member a key belongs to, and which one to use.  Pure.
 *
 * Rendezvous hashing (D. Thaler and C. Ravishankar, "Using Name-Based Mappings
 * to Increase Hit Rates", 1998): each node has a rank in each partition, which
 * depends on nothing but the two.  So a node that comes takes its share from
 * all others, one that goes leaves its share to all others, and nothing else
 * moves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_ROUTE_H
#define TG_CLUSTER_ROUTE_H

#include "base/types.h"

#define TG_PARTITIONS		271

typedef enum TgStrategy
{
	TG_PICK_ROUND_ROBIN,
	TG_PICK_RANDOM,
	TG_PICK_LEAST_LAG,
	TG_PICK_NEAREST,
	TG_PICK_STICKY
} TgStrategy;

/* A member that may be used. */
typedef struct TgCandidate
{
	TgNodeId	node;
	double		lag_ms;			/* how far it is behind others */
	int64		distance_us;	/* to there and back; 0: ourselves */
} TgCandidate;

extern int	tg_route_partition(uint64 key_hash);
extern void tg_route_rank(uint64 what, TgNodeId *nodes, int nnodes);
extern int	tg_route_pick(TgStrategy strategy, const TgCandidate *candidates, int n,
						  uint64 ticket);

#endif							/* TG_CLUSTER_ROUTE_H */
