/*-------------------------------------------------------------------------
 *
 * src/cluster/address_book.h
 *	  topgun.node, made to say what the view says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_ADDRESS_BOOK_H
#define TG_CLUSTER_ADDRESS_BOOK_H

#include "transport/view.h"

extern void tg_book_write(const TgView *view);
extern bool tg_book_keep(void);

#endif							/* TG_CLUSTER_ADDRESS_BOOK_H */
