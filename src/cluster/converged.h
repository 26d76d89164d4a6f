/*-------------------------------------------------------------------------
 *
 * src/cluster/converged.h
 *	  Do all members hold the same rows?
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_CONVERGED_H
#define TG_CLUSTER_CONVERGED_H

#include "base/types.h"

extern char *tg_tree_roots_text(void);
extern bool tg_converged(TgTableId table);

#endif							/* TG_CLUSTER_CONVERGED_H */
