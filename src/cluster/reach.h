/*-------------------------------------------------------------------------
 *
 * src/cluster/reach.h
 *	  Where a connection string leads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_REACH_H
#define TG_CLUSTER_REACH_H

extern char *tg_database_identity(void);
extern void tg_require_leads_to(const char *dsn, const char *name, const char *identity);

#endif							/* TG_CLUSTER_REACH_H */
