/*-------------------------------------------------------------------------
 *
 * src/base/bytes.h
 *	  Big-endian bytes: a bounds-checked reader, a writer over StringInfo.
 *
 * Whatever comes from disk or from a peer is read through TgReader.  A read
 * past the end sets "failed", yields zero and leaves the reader at its end;
 * the caller checks tg_reader_ok() once, before it uses what it has read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_BYTES_H
#define TG_BASE_BYTES_H

#include "base/compat.h"
#include "lib/stringinfo.h"

typedef struct TgReader
{
	const char *at;
	const char *end;
	bool		failed;
} TgReader;

/* A run of bytes inside somebody else's buffer. */
typedef struct TgBytes
{
	const char *data;
	uint32		len;
} TgBytes;

static inline TgBytes
tg_bytes(const void *data, Size len)
{
	TgBytes		bytes = {data, (uint32) len};

	return bytes;
}

static inline TgBytes
tg_bytes_of_varlena(const void *varlena)
{
	return tg_bytes(VARDATA_ANY(varlena), VARSIZE_ANY_EXHDR(varlena));
}

static inline TgBytes
tg_bytes_of_buf(const StringInfoData *buf)
{
	return tg_bytes(buf->data, buf->len);
}

extern void tg_reader_init(TgReader *reader, const void *data, Size len);
extern uint8 tg_read_u8(TgReader *reader);
extern uint16 tg_read_u16(TgReader *reader);
extern uint32 tg_read_u32(TgReader *reader);
extern uint64 tg_read_u64(TgReader *reader);
extern const char *tg_read_bytes(TgReader *reader, uint32 len);
extern TgBytes tg_read_counted(TgReader *reader);
extern void tg_reader_fail(TgReader *reader);
extern Size tg_reader_left(const TgReader *reader);
extern bool tg_reader_ok(const TgReader *reader);
extern bool tg_reader_at_end(const TgReader *reader);

extern void tg_write_u8(StringInfo buf, uint8 value);
extern void tg_write_u16(StringInfo buf, uint16 value);
extern void tg_write_u32(StringInfo buf, uint32 value);
extern void tg_write_u64(StringInfo buf, uint64 value);
extern void tg_write_bytes(StringInfo buf, const void *data, Size len);
extern void tg_write_counted(StringInfo buf, const void *data, uint32 len);

#endif							/* TG_BASE_BYTES_H */
