/*-------------------------------------------------------------------------
 *
 * src/transport/wire_copy.c
 *	  Messages about the key ranges of a table that is copied, and their
 *	  bytes.  Pure.
 *
 * As in wire.c: a read function returns false if the bytes are not such a
 * message.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/wire_copy.h"
#include "transport/wire_part.h"

#define MIN_KEY_BYTES	(sizeof(uint32) + 1)

/*
 * Append a request for bounds or for the rows of a range.
 */
void
tg_wire_write_range(StringInfo buf, const TgRangeRequest *request)
{
	tg_wire_write_sign(buf, TG_MESSAGE_RANGE);
	tg_wire_write_speaker(buf, &request->asker);
	tg_write_u32(buf, request->table);
	tg_write_counted(buf, request->range.after.data, request->range.after.len);
	tg_write_counted(buf, request->range.upto.data, request->range.upto.len);
}

/*
 * Read such a request.  It must be all that the reader holds.
 */
bool
tg_wire_read_range(TgReader *reader, TgRangeRequest *request)
{
	tg_wire_read_sign(reader, TG_MESSAGE_RANGE);
	request->asker = tg_wire_read_speaker(reader);
	request->table = tg_wire_read_table(reader);
	request->range.after = tg_read_counted(reader);
	request->range.upto = tg_read_counted(reader);
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}

/*
 * Append an answer with bounds.
 */
void
tg_wire_write_bounds(StringInfo buf, const TgBoundsAnswer *answer)
{
	tg_wire_write_sign(buf, TG_MESSAGE_BOUNDS);
	tg_write_u16(buf, answer->sender);
	tg_write_u64(buf, answer->epoch);
	tg_write_u64(buf, answer->fingerprint);
	tg_write_u64(buf, answer->truncation);
	tg_write_u32(buf, answer->nbounds);
	for (uint32 i = 0; i < answer->nbounds; i++)
		tg_write_counted(buf, answer->bounds[i].data, answer->bounds[i].len);
}

/*
 * Read an answer with bounds.  It must be all that the reader holds.
 */
bool
tg_wire_read_bounds(TgReader *reader, TgBoundsAnswer *answer)
{
	tg_wire_read_sign(reader, TG_MESSAGE_BOUNDS);
	answer->sender = tg_wire_read_node(reader);
	answer->epoch = tg_read_u64(reader);
	answer->fingerprint = tg_read_u64(reader);
	answer->truncation = tg_wire_read_stamp(reader);
	answer->nbounds = tg_wire_read_count(reader, MIN_KEY_BYTES);
	answer->bounds = palloc0(Max(answer->nbounds, 1) * sizeof(TgBytes));
	for (uint32 i = 0; i < answer->nbounds; i++)
	{
		answer->bounds[i] = tg_read_counted(reader);
		if (answer->bounds[i].len == 0)
			tg_reader_fail(reader);
	}
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}
