/*-------------------------------------------------------------------------
 *
 * src/transport/copy_bounds.h
 *	  Where a table is cut into ranges of keys that are copied in parallel.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_COPY_BOUNDS_H
#define TG_TRANSPORT_COPY_BOUNDS_H

#include "transport/wire_copy.h"

extern StringInfo tg_answer_bounds(const TgRangeRequest *request);

#endif							/* TG_TRANSPORT_COPY_BOUNDS_H */
