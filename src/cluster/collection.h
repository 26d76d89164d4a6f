/*-------------------------------------------------------------------------
 *
 * src/cluster/collection.h
 *	  Collecting the tombstones that nobody needs any more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_COLLECTION_H
#define TG_CLUSTER_COLLECTION_H

extern bool tg_collect_tombstones(void);

#endif							/* TG_CLUSTER_COLLECTION_H */
