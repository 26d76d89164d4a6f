/*-------------------------------------------------------------------------
 *
 * src/transport/tree_now.h
 *	  Stored trees that have in them what this node has merged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_TREE_NOW_H
#define TG_TRANSPORT_TREE_NOW_H

#include "base/types.h"
#include "utils/snapshot.h"

extern TgPosition tg_last_position(void);
extern void tg_fold_now(void);
extern void tg_fold_and_read(void (*read) (void *arg), void *arg);
extern TgPosition tg_folded_position(Snapshot snapshot);

#endif							/* TG_TRANSPORT_TREE_NOW_H */
