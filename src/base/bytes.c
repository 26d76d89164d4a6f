/*-------------------------------------------------------------------------
 *
 * src/base/bytes.c
 *	  Big-endian bytes: a bounds-checked reader, a writer over StringInfo.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bytes.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

/*
 * Copy the next len bytes to target, or zeros if there are not so many.
 */
static void
read_raw(TgReader *reader, void *target, uint32 len)
{
	const char *from = tg_read_bytes(reader, len);

	if (from == NULL)
		memset(target, 0, len);
	else
		memcpy(target, from, len);
}

/*
 * Start to read len bytes at data, which must stay where they are for as long
 * as the reader and what it hands out are in use.
 */
void
tg_reader_init(TgReader *reader, const void *data, Size len)
{
	reader->at = data;
	reader->end = reader->at + len;
	reader->failed = false;
}

/*
 * The next byte; 0 if there is none.
 */
uint8
tg_read_u8(TgReader *reader)
{
	uint8		value;

	read_raw(reader, &value, sizeof(value));
	return value;
}

/*
 * The next two bytes as a number; 0 if there are not so many.
 */
uint16
tg_read_u16(TgReader *reader)
{
	uint16		value;

	read_raw(reader, &value, sizeof(value));
	return pg_ntoh16(value);
}

/*
 * The next four bytes as a number; 0 if there are not so many.
 */
uint32
tg_read_u32(TgReader *reader)
{
	uint32		value;

	read_raw(reader, &value, sizeof(value));
	return pg_ntoh32(value);
}

/*
 * The next eight bytes as a number; 0 if there are not so many.
 */
uint64
tg_read_u64(TgReader *reader)
{
	uint64		value;

	read_raw(reader, &value, sizeof(value));
	return pg_ntoh64(value);
}

/*
 * The next len bytes, where they lie; NULL if there are not so many.
 */
const char *
tg_read_bytes(TgReader *reader, uint32 len)
{
	const char *result = reader->at;

	if (reader->failed || len > tg_reader_left(reader))
	{
		tg_reader_fail(reader);
		return NULL;
	}

	reader->at += len;
	return result;
}

/*
 * The next run of bytes written by tg_write_counted(), where it lies; an empty
 * one if it is not all there.
 */
TgBytes
tg_read_counted(TgReader *reader)
{
	TgBytes		result;

	result.len = tg_read_u32(reader);
	result.data = tg_read_bytes(reader, result.len);
	if (result.data == NULL)
		result.len = 0;
	return result;
}

/*
 * Give up, as if the bytes had ended: for values that cannot be.
 */
void
tg_reader_fail(TgReader *reader)
{
	reader->at = reader->end;
	reader->failed = true;
}

/*
 * How many bytes are left.  Compare a count with this before allocating.
 */
Size
tg_reader_left(const TgReader *reader)
{
	return reader->end - reader->at;
}

/*
 * Was everything there that was asked for so far?
 */
bool
tg_reader_ok(const TgReader *reader)
{
	return !reader->failed;
}

/*
 * Is nothing left?  True after a failure as well, so that loops end.
 */
bool
tg_reader_at_end(const TgReader *reader)
{
	return reader->at == reader->end;
}

/*
 * Append one byte.
 */
void
tg_write_u8(StringInfo buf, uint8 value)
{
	tg_write_bytes(buf, &value, sizeof(value));
}

/*
 * Append a number as two bytes.
 */
void
tg_write_u16(StringInfo buf, uint16 value)
{
	value = pg_hton16(value);
	tg_write_bytes(buf, &value, sizeof(value));
}

/*
 * Append a number as four bytes.
 */
void
tg_write_u32(StringInfo buf, uint32 value)
{
	value = pg_hton32(value);
	tg_write_bytes(buf, &value, sizeof(value));
}

/*
 * Append a number as eight bytes.
 */
void
tg_write_u64(StringInfo buf, uint64 value)
{
	value = pg_hton64(value);
	tg_write_bytes(buf, &value, sizeof(value));
}

/*
 * Append bytes as they are.  Fails if the buffer would exceed what PostgreSQL
 * can allocate.
 */
void
tg_write_bytes(StringInfo buf, const void *data, Size len)
{
	if (len > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message of %zu bytes is too large", len)));

	appendBinaryStringInfo(buf, data, (int) len);
}

/*
 * Append bytes with their number, four bytes, before them.
 */
void
tg_write_counted(StringInfo buf, const void *data, uint32 len)
{
	tg_write_u32(buf, len);
	tg_write_bytes(buf, data, len);
}
