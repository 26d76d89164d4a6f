/*-------------------------------------------------------------------------
 *
 * src/transport/copy.h
 *	  Copying a whole table from a peer, chunk by chunk: both ends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_COPY_H
#define TG_TRANSPORT_COPY_H

#include "transport/link.h"
#include "transport/wire.h"

extern StringInfo tg_answer_copy(const TgCopyRequest *request);
extern bool tg_copy_chunk(TgLink *link, TgNodeId peer, TgTableId table, TgBytes *after);

#endif							/* TG_TRANSPORT_COPY_H */
