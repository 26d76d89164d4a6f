/*-------------------------------------------------------------------------
 *
 * src/api/tree.h
 *	  What SQL functions about trees have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_API_TREE_H
#define TG_API_TREE_H

#include "base/types.h"
#include "utils/relcache.h"

extern TgTableId tg_require_tree(Relation rel);

#endif							/* TG_API_TREE_H */
