/*-------------------------------------------------------------------------
 *
 * src/transport/view_store.h
 *	  The view this node is in, on disk: topgun.cluster_state.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_VIEW_STORE_H
#define TG_TRANSPORT_VIEW_STORE_H

#include "transport/view.h"

/* What a node has bound itself to about the successor of its view. */
typedef struct TgVoteState
{
	uint64		promised;		/* packed ballots; 0: none */
	uint64		accepted;
	TgBytes		value;
} TgVoteState;

extern TgView *tg_view_current(void);
extern TgView *tg_view_lock(TgVoteState *votes);
extern void tg_view_save_votes(const TgVoteState *votes);
extern void tg_view_install(const TgView *view);
extern void tg_view_install_first(const TgView *view);
extern TgBytes tg_view_bytes(const TgView *view);
extern void tg_view_load_epoch(void);

extern bool tg_is_returning_to(TgNodeId peer);
extern void tg_set_returning_to(TgNodeId peer, bool is_returning);

extern void tg_view_store_install(void);

#endif							/* TG_TRANSPORT_VIEW_STORE_H */
