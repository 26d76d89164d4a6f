/*-------------------------------------------------------------------------
 *
 * src/cluster/commit_wait.h
 *	  A commit that waits until other members have it durably.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_COMMIT_WAIT_H
#define TG_CLUSTER_COMMIT_WAIT_H

extern void tg_commit_wait_install(void);

#endif							/* TG_CLUSTER_COMMIT_WAIT_H */
