/*-------------------------------------------------------------------------
 *
 * src/transport/gate.h
 *	  Who may ask this node, and whose answer may be merged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_GATE_H
#define TG_TRANSPORT_GATE_H

#include "base/compat.h"
#include "transport/accepted.h"
#include "transport/link.h"
#include "transport/wire_part.h"

extern TgSpeaker tg_speaker_self(void);
extern TgSpeaker tg_speaker_to(const TgSpeaker *asker);
extern TgLinkParam tg_speaker_param(void);

extern void tg_gate_check(const TgSpeaker *asker);
extern void tg_gate_check_life(const TgSpeaker *asker);
pg_noreturn extern void tg_gate_refuse_copy(TgNodeId asker);
extern void tg_gate_require_current(const TgSpeaker *sender);
extern void tg_gate_install(void);

#endif							/* TG_TRANSPORT_GATE_H */
