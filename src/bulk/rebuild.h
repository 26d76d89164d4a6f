/*-------------------------------------------------------------------------
 *
 * src/bulk/rebuild.h
 *	  Deriving the tree of a table anew from its rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_REBUILD_H
#define TG_BULK_REBUILD_H

#include "utils/relcache.h"

extern int	tg_rebuild_tree(Relation rel, int nworkers);

#endif							/* TG_BULK_REBUILD_H */
