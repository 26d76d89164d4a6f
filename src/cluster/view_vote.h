/*-------------------------------------------------------------------------
 *
 * src/cluster/view_vote.h
 *	  What a node answers to those that propose or tell views.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_VIEW_VOTE_H
#define TG_CLUSTER_VIEW_VOTE_H

#include "cluster/ballot.h"
#include "transport/link.h"
#include "transport/view_store.h"
#include "transport/vote.h"

extern StringInfo tg_vote_answer(const TgVoteRequest *request);
extern TgVoter tg_voter_from(const TgVoteState *votes);
extern void tg_voter_save(const TgVoter *voter);

extern TgView *tg_view_require(TgBytes bytes);
extern TgView *tg_view_learn(const TgView *view);
extern void tg_view_exchange(TgLink *link);
extern void tg_view_adopt(TgLink *link);
extern uint64 tg_view_random_id(void);

#endif							/* TG_CLUSTER_VIEW_VOTE_H */
