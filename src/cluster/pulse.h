/*-------------------------------------------------------------------------
 *
 * src/cluster/pulse.h
 *	  Heartbeats: what they say, and what is made of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_PULSE_H
#define TG_CLUSTER_PULSE_H

#include "cluster/phi.h"
#include "transport/wire_pulse.h"

/* When a pulse was sent, and how long the answer took. */
typedef struct TgPulseTimes
{
	int64		sent_ms;		/* monotonic */
	int64		sent_wall_us;	/* our wall clock */
	int64		sent_clock_us;	/* and the one that stamps are made of */
	int64		round_trip_us;
	TgEpoch		epoch;			/* ours when it was sent */
} TgPulseTimes;

extern void tg_pulse_describe(TgPulse *pulse);
extern void tg_pulse_refresh(TgPulse *pulse);
extern TgPhiEvent tg_pulse_heard(const TgPulse *answer, const TgPulseTimes *times);
extern void tg_pulse_refused(const char *peer, const char *reason, TgEpoch asked);
extern void tg_pulse_tell(TgNodeId node, const char *name, TgPhiEvent event);

#endif							/* TG_CLUSTER_PULSE_H */
