/*-------------------------------------------------------------------------
 *
 * src/row/key_order.h
 *	  SQL that reads a table in the order of its primary key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_KEY_ORDER_H
#define TG_ROW_KEY_ORDER_H

#include "row/table.h"
#include "utils/relcache.h"

extern char *tg_key_order_query(Relation rel, TgTable *table, int nparams);
extern char *tg_key_order_clause(Relation rel, TgTable *table);

#endif							/* TG_ROW_KEY_ORDER_H */
