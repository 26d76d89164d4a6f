/*-------------------------------------------------------------------------
 *
 * src/cluster/rejoin.h
 *	  Coming back into the view.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_REJOIN_H
#define TG_CLUSTER_REJOIN_H

extern void tg_rejoin(void);

#endif							/* TG_CLUSTER_REJOIN_H */
