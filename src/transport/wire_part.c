/*-------------------------------------------------------------------------
 *
 * src/transport/wire_part.c
 *	  What messages between two nodes are made of.  Pure.
 *
 * The read functions fail the reader if the bytes are not such a part.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "transport/wire_part.h"

#define MAGIC				0x5447	/* "TG" */

/*
 * Append the sign that opens a message.
 */
void
tg_wire_write_sign(StringInfo buf, TgMessageKind kind)
{
	tg_write_u16(buf, MAGIC);
	tg_write_u8(buf, TG_WIRE_VERSION);
	tg_write_u8(buf, kind);
}

/*
 * Read the sign of a message of this kind.
 */
void
tg_wire_read_sign(TgReader *reader, TgMessageKind kind)
{
	if (tg_read_u16(reader) != MAGIC ||
		tg_read_u8(reader) != TG_WIRE_VERSION ||
		tg_read_u8(reader) != kind)
		tg_reader_fail(reader);
}

/*
 * Append a boolean.
 */
void
tg_wire_write_bool(StringInfo buf, bool value)
{
	tg_write_u8(buf, value ? 1 : 0);
}

/*
 * Read a boolean.
 */
bool
tg_wire_read_bool(TgReader *reader)
{
	uint8		value = tg_read_u8(reader);

	if (value > 1)
		tg_reader_fail(reader);
	return value == 1;
}

/*
 * Append a cursor.
 */
void
tg_wire_write_cursor(StringInfo buf, TgCursor cursor)
{
	tg_write_u64(buf, cursor.position);
	tg_write_u32(buf, cursor.part);
}

/*
 * Read a cursor.
 */
TgCursor
tg_wire_read_cursor(TgReader *reader)
{
	TgCursor	cursor;

	cursor.position = tg_read_u64(reader);
	cursor.part = tg_read_u32(reader);
	return cursor;
}

/*
 * Read the id of a node.
 */
TgNodeId
tg_wire_read_node(TgReader *reader)
{
	TgNodeId	node = tg_read_u16(reader);

	if (node < 1 || node > TG_MAX_NODE)
		tg_reader_fail(reader);
	return node;
}

/*
 * Read the id of a table.
 */
TgTableId
tg_wire_read_table(TgReader *reader)
{
	uint32		table = tg_read_u32(reader);

	if (table < 1 || table > PG_INT32_MAX)
		tg_reader_fail(reader);
	return (TgTableId) table;
}

/*
 * Read the stamp of a row, a tombstone or a truncation.
 */
TgStamp
tg_wire_read_stamp(TgReader *reader)
{
	TgStamp		stamp = tg_read_u64(reader);

	if (!tg_stamp_is_valid(stamp))
		tg_reader_fail(reader);
	return stamp;
}

/*
 * Append an incarnation.
 */
void
tg_wire_write_incarnation(StringInfo buf, TgIncarnation incarnation)
{
	tg_write_u32(buf, incarnation.counter);
	tg_write_u64(buf, incarnation.random);
}

/*
 * Read an incarnation; one that is not known is all zero.
 */
TgIncarnation
tg_wire_read_incarnation(TgReader *reader)
{
	TgIncarnation incarnation;

	incarnation.counter = tg_read_u32(reader);
	incarnation.random = tg_read_u64(reader);
	if (incarnation.counter == 0 && incarnation.random != 0)
		tg_reader_fail(reader);
	return incarnation;
}

/*
 * Append who speaks.
 */
void
tg_wire_write_speaker(StringInfo buf, const TgSpeaker *speaker)
{
	tg_write_u16(buf, speaker->node);
	tg_write_u64(buf, speaker->epoch);
	tg_write_u64(buf, speaker->view_id);
	tg_wire_write_incarnation(buf, speaker->incarnation);
}

/*
 * Read who speaks.
 */
TgSpeaker
tg_wire_read_speaker(TgReader *reader)
{
	TgSpeaker	speaker;

	speaker.node = tg_wire_read_node(reader);
	speaker.epoch = tg_read_u64(reader);
	speaker.view_id = tg_read_u64(reader);
	speaker.incarnation = tg_wire_read_incarnation(reader);
	return speaker;
}

/*
 * Append a message that says who asks, and nothing else: the rest of the
 * request are arguments of SQL.
 */
void
tg_wire_write_asker(StringInfo buf, const TgSpeaker *asker)
{
	tg_wire_write_sign(buf, TG_MESSAGE_ASKER);
	tg_wire_write_speaker(buf, asker);
}

/*
 * Read such a message.  It must be all that the reader holds.
 */
bool
tg_wire_read_asker(TgReader *reader, TgSpeaker *asker)
{
	tg_wire_read_sign(reader, TG_MESSAGE_ASKER);
	*asker = tg_wire_read_speaker(reader);
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}

/*
 * Read the number of things that follow, each of them at least min_bytes long.
 */
uint32
tg_wire_read_count(TgReader *reader, Size min_bytes)
{
	uint32		count = tg_read_u32(reader);

	if (count > tg_reader_left(reader) / min_bytes)
	{
		tg_reader_fail(reader);
		return 0;
	}
	return count;
}
