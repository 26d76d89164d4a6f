/*-------------------------------------------------------------------------
 *
 * src/transport/copy_table.h
 *	  Copying a whole table from a peer by parallel workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_COPY_TABLE_H
#define TG_TRANSPORT_COPY_TABLE_H

#include "transport/link.h"
#include "transport/member.h"

extern void tg_copy_table(TgLink *link, const TgMember *peer, TgTableId table);

#endif							/* TG_TRANSPORT_COPY_TABLE_H */
