/*-------------------------------------------------------------------------
 *
 * src/transport/gate.h
 *	  Who may ask this node, and whose answer may be merged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_GATE_H
#define TG_TRANSPORT_GATE_H

#include "transport/accepted.h"

extern void tg_gate_check(TgNodeId asker, TgEpoch epoch, TgIncarnation incarnation);
extern void tg_gate_refuse_copy(TgNodeId asker) pg_attribute_noreturn();
extern void tg_gate_require_current(TgEpoch asked);

#endif							/* TG_TRANSPORT_GATE_H */
