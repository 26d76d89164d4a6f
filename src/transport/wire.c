/*-------------------------------------------------------------------------
 *
 * src/transport/wire.c
 *	  Messages between two nodes, and their bytes.  Pure.
 *
 * A message opens with its sign: "TG" (16 bits), version (8), kind (8).  Then
 * its fields follow, in the order of the functions below; all numbers are
 * big-endian, a boolean is a byte 0 or 1, bytes have their number (32 bits)
 * before them.  There is one way to write a message: the reader takes no
 * other.
 *
 * A read function returns false if the bytes are not such a message; what it
 * has filled in is of no use then.  Bytes it hands out lie in the reader's
 * buffer, vectors in the current memory context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "transport/wire.h"
#include "transport/wire_part.h"

/* The least that a section and a change can take. */
#define MIN_SECTION_BYTES	(sizeof(uint32) + sizeof(uint64) + sizeof(uint32))
#define MIN_CHANGE_BYTES	(sizeof(uint8) + sizeof(uint64) + sizeof(uint32))

/*
 * Append a pull request.
 */
void
tg_wire_write_pull(StringInfo buf, const TgPullRequest *request)
{
	tg_wire_write_sign(buf, TG_MESSAGE_PULL);
	tg_wire_write_speaker(buf, &request->asker);
	tg_wire_write_cursor(buf, request->cursor);
	tg_wire_write_cursor(buf, request->flushed);
	tg_wire_write_bool(buf, request->in_step);
	tg_write_u64(buf, request->settled);
	tg_wire_write_bool(buf, request->give_back);
	tg_write_u32(buf, request->max_bytes);
	tg_vector_write(buf, request->vector);
}

/*
 * Read a pull request.  It must be all that the reader holds.
 */
bool
tg_wire_read_pull(TgReader *reader, TgPullRequest *request)
{
	tg_wire_read_sign(reader, TG_MESSAGE_PULL);
	request->asker = tg_wire_read_speaker(reader);
	request->cursor = tg_wire_read_cursor(reader);
	request->flushed = tg_wire_read_cursor(reader);
	request->in_step = tg_wire_read_bool(reader);
	request->settled = tg_read_u64(reader);
	request->give_back = tg_wire_read_bool(reader);
	request->max_bytes = tg_read_u32(reader);
	request->vector = tg_vector_read(reader);
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}

/*
 * Append a copy request.
 */
void
tg_wire_write_copy(StringInfo buf, const TgCopyRequest *request)
{
	tg_wire_write_sign(buf, TG_MESSAGE_COPY);
	tg_wire_write_speaker(buf, &request->asker);
	tg_write_u32(buf, request->table);
	tg_write_u32(buf, request->max_bytes);
	tg_write_u64(buf, request->newer_than);
	tg_wire_write_bool(buf, request->has_after);
	if (request->has_after)
		tg_write_counted(buf, request->after.data, request->after.len);
}

/*
 * Read a copy request.  It must be all that the reader holds.
 */
bool
tg_wire_read_copy(TgReader *reader, TgCopyRequest *request)
{
	tg_wire_read_sign(reader, TG_MESSAGE_COPY);
	request->asker = tg_wire_read_speaker(reader);
	request->table = tg_wire_read_table(reader);
	request->max_bytes = tg_read_u32(reader);
	request->newer_than = tg_read_u64(reader);
	request->has_after = tg_wire_read_bool(reader);
	request->after.data = NULL;
	request->after.len = 0;
	if (request->has_after)
	{
		request->after = tg_read_counted(reader);
		if (request->after.len == 0)
			tg_reader_fail(reader);
	}
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}

/*
 * Append the head of an answer.  head->ntables sections must follow.
 */
void
tg_wire_write_answer(StringInfo buf, const TgAnswerHead *head)
{
	tg_wire_write_sign(buf, TG_MESSAGE_ANSWER);
	tg_wire_write_speaker(buf, &head->sender);
	tg_wire_write_cursor(buf, head->cursor);
	tg_write_u64(buf, head->last_position);
	tg_wire_write_bool(buf, head->acknowledge);
	tg_wire_write_bool(buf, head->complete);
	tg_vector_write(buf, head->vector);
	tg_write_u32(buf, head->ntables);
}

/*
 * Read the head of an answer.  head->ntables sections follow, and after the
 * last one the reader must be at its end.
 */
bool
tg_wire_read_answer(TgReader *reader, TgAnswerHead *head)
{
	tg_wire_read_sign(reader, TG_MESSAGE_ANSWER);
	head->sender = tg_wire_read_speaker(reader);
	head->cursor = tg_wire_read_cursor(reader);
	head->last_position = tg_read_u64(reader);
	head->acknowledge = tg_wire_read_bool(reader);
	head->complete = tg_wire_read_bool(reader);
	head->vector = tg_vector_read(reader);
	head->ntables = tg_wire_read_count(reader, MIN_SECTION_BYTES);
	return tg_reader_ok(reader);
}

/*
 * Append the head of a section.  head->nchanges changes must follow.
 */
void
tg_wire_write_section(StringInfo buf, const TgSectionHead *head)
{
	tg_write_u32(buf, head->table);
	tg_write_u64(buf, head->fingerprint);
	tg_write_u32(buf, head->nchanges);
}

/*
 * Read the head of a section.  head->nchanges changes follow.
 */
bool
tg_wire_read_section(TgReader *reader, TgSectionHead *head)
{
	head->table = tg_wire_read_table(reader);
	head->fingerprint = tg_read_u64(reader);
	head->nchanges = tg_wire_read_count(reader, MIN_CHANGE_BYTES);
	return tg_reader_ok(reader);
}

/*
 * Append a change.
 */
void
tg_wire_write_change(StringInfo buf, const TgChange *change)
{
	tg_write_u8(buf, change->kind);
	tg_write_u64(buf, change->stamp);
	tg_write_counted(buf, change->payload.data, change->payload.len);
}

/*
 * Read a change.
 */
bool
tg_wire_read_change(TgReader *reader, TgChange *change)
{
	bool		has_payload;
	bool		sound = false;

	change->kind = tg_read_u8(reader);
	change->stamp = tg_read_u64(reader);
	change->payload = tg_read_counted(reader);
	has_payload = change->payload.len > 0;

	switch (change->kind)
	{
		case TG_CHANGE_ROW:
		case TG_CHANGE_DELETE:
			sound = has_payload;
			break;
		case TG_CHANGE_TRUNCATE:
			sound = !has_payload;
			break;
	}
	if (!sound || !tg_stamp_is_valid(change->stamp))
		tg_reader_fail(reader);
	return tg_reader_ok(reader);
}
