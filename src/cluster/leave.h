/*-------------------------------------------------------------------------
 *
 * src/cluster/leave.h
 *	  How a node becomes an ordinary database again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_LEAVE_H
#define TG_CLUSTER_LEAVE_H

extern void tg_leave_view(void);
extern void tg_leave_nothing(void);

#endif							/* TG_CLUSTER_LEAVE_H */
