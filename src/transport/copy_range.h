/*-------------------------------------------------------------------------
 *
 * src/transport/copy_range.h
 *	  The rows of a range of keys, for a peer that copies the table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_COPY_RANGE_H
#define TG_TRANSPORT_COPY_RANGE_H

#include "transport/wire_copy.h"

typedef struct TgRangeAnswer TgRangeAnswer;

extern TgRangeAnswer *tg_range_answer_open(const TgRangeRequest *request);
extern bytea *tg_range_answer_next(TgRangeAnswer *answer);
extern void tg_range_answer_close(TgRangeAnswer *answer);

#endif							/* TG_TRANSPORT_COPY_RANGE_H */
