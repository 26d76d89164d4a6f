/*-------------------------------------------------------------------------
 *
 * src/transport/wire_pulse.h
 *	  The heartbeat message and its bytes.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_WIRE_PULSE_H
#define TG_TRANSPORT_WIRE_PULSE_H

#include "base/bytes.h"
#include "base/types.h"

#define TG_PULSE_MAX_SUSPECTS	64
#define TG_PULSE_MAX_ANCESTORS	100

/* "I am here, and this is how I see the cluster."  So is the answer. */
typedef struct TgPulse
{
	TgNodeId	sender;
	TgEpoch		epoch;
	uint64		view_id;		/* of that epoch; 0: not known */
	TgIncarnation incarnation;
	TgStamp		ceiling;		/* of the clock, as the incarnation found it */
	TgStamp		clock;
	int64		wall_us;		/* since 2000-01-01 UTC */
	int			nsuspects;
	TgNodeId	suspects[TG_PULSE_MAX_SUSPECTS];	/* ascending */
	int			nancestors;
	TgIncarnation ancestors[TG_PULSE_MAX_ANCESTORS];	/* the newest first */
} TgPulse;

extern void tg_wire_write_pulse(StringInfo buf, const TgPulse *pulse);
extern bool tg_wire_read_pulse(TgReader *reader, TgPulse *pulse);

#endif							/* TG_TRANSPORT_WIRE_PULSE_H */
