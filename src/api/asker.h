/*-------------------------------------------------------------------------
 *
 * src/api/asker.h
 *	  What all functions that peers call check first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_API_ASKER_H
#define TG_API_ASKER_H

#include "base/types.h"

extern void tg_asker_require_primary(void);
extern void tg_asker_check(bool is_sound, TgNodeId asker, TgEpoch epoch, TgIncarnation incarnation);

#endif							/* TG_API_ASKER_H */
