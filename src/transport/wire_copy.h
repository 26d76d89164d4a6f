/*-------------------------------------------------------------------------
 *
 * src/transport/wire_copy.h
 *	  Messages about the key ranges of a table that is copied, and their
 *	  bytes.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_WIRE_COPY_H
#define TG_TRANSPORT_WIRE_COPY_H

#include "base/bytes.h"
#include "base/types.h"
#include "transport/wire_part.h"

/* The keys behind one and up to another. */
typedef struct TgKeyRange
{
	TgBytes		after;			/* key bytes; empty: from the first key */
	TgBytes		upto;			/* empty: to the last one */
} TgKeyRange;

/* "Where shall I cut this table?", and "What is in this range of it?" */
typedef struct TgRangeRequest
{
	TgSpeaker	asker;
	TgTableId	table;
	TgKeyRange	range;
} TgRangeRequest;

/* The answer to the first. */
typedef struct TgBoundsAnswer
{
	TgNodeId	sender;
	TgEpoch		epoch;
	uint64		fingerprint;	/* of columns and key, see row/table.h */
	TgStamp		truncation;		/* TG_NO_STAMP: never truncated */
	uint32		nbounds;
	TgBytes    *bounds;			/* keys, ascending: one range more than these */
} TgBoundsAnswer;

extern void tg_wire_write_range(StringInfo buf, const TgRangeRequest *request);
extern bool tg_wire_read_range(TgReader *reader, TgRangeRequest *request);
extern void tg_wire_write_bounds(StringInfo buf, const TgBoundsAnswer *answer);
extern bool tg_wire_read_bounds(TgReader *reader, TgBoundsAnswer *answer);

#endif							/* TG_TRANSPORT_WIRE_COPY_H */
