/*-------------------------------------------------------------------------
 *
 * src/row/walk.h
 *	  Looking up keys that come in the order of the index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_WALK_H
#define TG_ROW_WALK_H

#include "row/target.h"

extern bool tg_leaf_walk_to(TgLeaf *leaf, Snapshot snapshot);

#endif							/* TG_ROW_WALK_H */
