/*-------------------------------------------------------------------------
 *
 * src/transport/wire_part.h
 *	  What messages between two nodes are made of.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_WIRE_PART_H
#define TG_TRANSPORT_WIRE_PART_H

#include "base/bytes.h"
#include "base/types.h"

#define TG_WIRE_VERSION			1

/* Who speaks: the first part of every request, and of answers with rows. */
typedef struct TgSpeaker
{
	TgNodeId	node;
	TgEpoch		epoch;			/* that it is in */
	uint64		view_id;		/* of the view of that epoch */
	TgIncarnation incarnation;	/* counter 0: not known yet */
} TgSpeaker;

typedef enum TgMessageKind
{
	TG_MESSAGE_PULL = 1,
	TG_MESSAGE_COPY = 2,
	TG_MESSAGE_ANSWER = 3,
	TG_MESSAGE_TREE = 4,
	TG_MESSAGE_TREE_ANSWER = 5,
	TG_MESSAGE_KEYS = 6,
	TG_MESSAGE_KEYS_CHUNK = 7,
	TG_MESSAGE_VERSIONS = 8,
	TG_MESSAGE_VERSIONS_ANSWER = 9,
	TG_MESSAGE_ROWS = 10,
	TG_MESSAGE_ROWS_ANSWER = 11,
	TG_MESSAGE_RANGE = 12,
	TG_MESSAGE_BOUNDS = 13,
	TG_MESSAGE_PULSE = 14,
	TG_MESSAGE_ASKER = 15,
	TG_MESSAGE_VIEW = 32,
	TG_MESSAGE_PROMISE = 33,
	TG_MESSAGE_ACCEPT = 34,
	TG_MESSAGE_VOTE_ANSWER = 35
} TgMessageKind;

extern void tg_wire_write_sign(StringInfo buf, TgMessageKind kind);
extern void tg_wire_read_sign(TgReader *reader, TgMessageKind kind);
extern void tg_wire_write_bool(StringInfo buf, bool value);
extern bool tg_wire_read_bool(TgReader *reader);
extern void tg_wire_write_cursor(StringInfo buf, TgCursor cursor);
extern TgCursor tg_wire_read_cursor(TgReader *reader);
extern TgNodeId tg_wire_read_node(TgReader *reader);
extern TgTableId tg_wire_read_table(TgReader *reader);
extern TgStamp tg_wire_read_stamp(TgReader *reader);
extern void tg_wire_write_incarnation(StringInfo buf, TgIncarnation incarnation);
extern TgIncarnation tg_wire_read_incarnation(TgReader *reader);
extern void tg_wire_write_speaker(StringInfo buf, const TgSpeaker *speaker);
extern TgSpeaker tg_wire_read_speaker(TgReader *reader);
extern void tg_wire_write_asker(StringInfo buf, const TgSpeaker *asker);
extern bool tg_wire_read_asker(TgReader *reader, TgSpeaker *asker);
extern uint32 tg_wire_read_count(TgReader *reader, Size min_bytes);

#endif							/* TG_TRANSPORT_WIRE_PART_H */
