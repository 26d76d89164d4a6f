/*-------------------------------------------------------------------------
 *
 * src/cluster/cut.h
 *	  How much of the journal is kept for peers that have not read it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_CUT_H
#define TG_CLUSTER_CUT_H

extern bool tg_cut_journal(void);

#endif							/* TG_CLUSTER_CUT_H */
