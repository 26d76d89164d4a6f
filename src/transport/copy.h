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

/* How far a copy has come. */
typedef struct TgCopyPlace
{
	TgBytes		after;			/* empty: at the beginning */
	TgStamp		newer_than;		/* of tombstones, only these */
} TgCopyPlace;

extern StringInfo tg_answer_copy(const TgCopyRequest *request);
extern void tg_copy_skip_rows(TgCopyPlace *place, TgStamp newer_than);
extern bool tg_copy_chunk(TgLink *link, TgNodeId peer, TgTableId table, TgCopyPlace *place);

#endif							/* TG_TRANSPORT_COPY_H */
