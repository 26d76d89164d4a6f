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

#define TG_MAX_REFUSED		4

/* Lives of a node that are not to be accepted, nor what descends from them. */
typedef struct TgRefused
{
	int			n;
	TgIncarnation lives[TG_MAX_REFUSED];	/* the newest first */
} TgRefused;

extern TgLife tg_life_judge(const TgPulse *told, TgIncarnation known, TgStamp newest,
							const TgRefused *refused);
extern bool tg_life_descends(const TgPulse *told, TgIncarnation known);
extern bool tg_refused_has(const TgRefused *refused, TgIncarnation life);
extern void tg_refused_add(TgRefused *refused, TgIncarnation life);

#endif							/* TG_TRANSPORT_LIFE_H */
