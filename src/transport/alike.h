/*-------------------------------------------------------------------------
 *
 * src/transport/alike.h
 *	  Tables that two nodes can compare.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_ALIKE_H
#define TG_TRANSPORT_ALIKE_H

#include "base/types.h"
#include "utils/relcache.h"

extern Relation tg_open_comparable(TgTableId table);
extern void tg_require_alike(Relation rel, uint64 fingerprint, TgNodeId peer);

#endif							/* TG_TRANSPORT_ALIKE_H */
