/*-------------------------------------------------------------------------
 *
 * src/transport/key_order.h
 *	  SQL that reads a table in the order of its primary key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_KEY_ORDER_H
#define TG_TRANSPORT_KEY_ORDER_H

#include "row/table.h"
#include "utils/relcache.h"

extern char *tg_key_order_query(Relation rel, TgTable *table, int nparams);

#endif							/* TG_TRANSPORT_KEY_ORDER_H */
