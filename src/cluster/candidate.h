/*-------------------------------------------------------------------------
 *
 * src/cluster/candidate.h
 *	  The members that clients may use, as this node sees them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_CANDIDATE_H
#define TG_CLUSTER_CANDIDATE_H

#include "cluster/route.h"
#include "nodes/pg_list.h"
#include "transport/member.h"

extern List *tg_members_ranked(uint64 what);
extern List *tg_members_by_id(void);
extern TgMember *tg_member_pick(TgStrategy strategy, uint64 sticky_to);

extern Size tg_candidate_shmem_size(void);
extern void tg_candidate_shmem_attach(void *ptr, bool found);

#endif							/* TG_CLUSTER_CANDIDATE_H */
