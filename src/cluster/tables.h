/*-------------------------------------------------------------------------
 *
 * src/cluster/tables.h
 *	  Making the tables of this node what the cluster says they are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_TABLES_H
#define TG_CLUSTER_TABLES_H

#include "base/types.h"
#include "nodes/pg_list.h"

/* A row of topgun.replicated_table. */
typedef struct TgListedTable
{
	TgTableId	id;
	char	   *schema_name;
	char	   *table_name;
	bool		stamping_by_trigger;
} TgListedTable;

extern List *tg_tables_listed(void);
extern bool tg_table_is_listed(List *tables, TgTableId id);
extern void tg_table_attach_listed(const TgListedTable *table, TgNodeId copy_from);
extern void tg_table_forget(TgTableId table);
extern bool tg_tables_reconcile(void);

#endif							/* TG_CLUSTER_TABLES_H */
