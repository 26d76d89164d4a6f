/*-------------------------------------------------------------------------
 *
 * src/api/asker.h
 *	  What all functions that peers call check first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_API_ASKER_H
#define TG_API_ASKER_H

#include "transport/wire_part.h"

extern void tg_asker_require_primary(void);
extern void tg_asker_check(bool is_sound, const TgSpeaker *asker);
extern TgSpeaker tg_asker_require(const bytea *message);

#endif							/* TG_API_ASKER_H */
