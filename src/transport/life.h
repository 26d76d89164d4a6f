/*-------------------------------------------------------------------------
 *
 * src/transport/life.h
 *	  Is who answers for a node that node still?  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_LIFE_H
#define TG_TRANSPORT_LIFE_H

#include "transport/wire_pulse.h"

typedef enum TgLife
{
	TG_LIFE_KNOWN,				/* the one we know */
	TG_LIFE_NEXT,				/* the node has been started again */
	TG_LIFE_COPY,				/* does not descend from the one we know */
	TG_LIFE_RESTORED			/* its disk is older than what we know of it */
} TgLife;

extern TgLife tg_life_judge(const TgPulse *told, TgIncarnation known, TgStamp newest);

#endif							/* TG_TRANSPORT_LIFE_H */
