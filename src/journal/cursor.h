/*-------------------------------------------------------------------------
 *
 * src/journal/cursor.h
 *	  How far we have read each peer's journal: topgun.peer_cursor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_CURSOR_H
#define TG_JOURNAL_CURSOR_H

#include "base/types.h"
#include "clock/vector.h"

/* What merging a peer's journal up to the cursor covers. */
typedef struct TgPeerCursor
{
	TgNodeId	peer;
	TgCursor	cursor;
	TgVector   *vector;
} TgPeerCursor;

extern void tg_peer_cursor_load(TgNodeId peer, TgPeerCursor *cursor);
extern void tg_peer_cursor_save(const TgPeerCursor *cursor);
extern TgVector *tg_peer_cursor_vector(void);
extern TgVector *tg_own_vector(TgNodeId self);

#endif							/* TG_JOURNAL_CURSOR_H */
