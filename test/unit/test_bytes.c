/*-------------------------------------------------------------------------
 *
 * test/unit/test_bytes.c
 *	  Reading and writing big-endian bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "unit.h"

PG_FUNCTION_INFO_V1(test_bytes);

static void
make_all(StringInfo buf)
{
	tg_write_u8(buf, 0xF1);
	tg_write_u16(buf, 0xF1E2);
	tg_write_u32(buf, 0xF1E2D3C4);
	tg_write_u64(buf, UINT64CONST(0xF1E2D3C4B5A69788));
	tg_write_bytes(buf, "abc", 3);
	tg_write_counted(buf, "de", 2);
	tg_write_counted(buf, NULL, 0);
}

static const UnitPinned pinned[] = {
	{"numbers and bytes", make_all,
	"f1f1e2f1e2d3c4f1e2d3c4b5a697886162630000000264650000" "0000"},
};

static bool
copy_all(TgReader *reader, StringInfo out)
{
	uint8		byte = tg_read_u8(reader);
	uint16		two = tg_read_u16(reader);
	uint32		four = tg_read_u32(reader);
	uint64		eight = tg_read_u64(reader);
	const char *raw = tg_read_bytes(reader, 3);
	TgBytes		counted = tg_read_counted(reader);

	if (!tg_reader_ok(reader))
		return false;
	tg_write_u8(out, byte);
	tg_write_u16(out, two);
	tg_write_u32(out, four);
	tg_write_u64(out, eight);
	tg_write_bytes(out, raw, 3);
	tg_write_counted(out, counted.data, counted.len);
	return true;
}

static void
make_random(StringInfo buf)
{
	TgBytes		counted = unit_bytes(0, 40);

	for (int i = 0; i < 18; i++)
		tg_write_u8(buf, unit_below(256));
	tg_write_counted(buf, counted.data, counted.len);
}

static const UnitCodec codecs[] = {
	{"numbers and bytes", make_random, copy_all},
};

/*
 * After a read past the end everything is zero and nothing is left.
 */
static void
check_failure_lasts(void)
{
	TgReader	reader;

	tg_reader_init(&reader, "\001\002\003", 3);
	CHECK(tg_reader_left(&reader) == 3 && !tg_reader_at_end(&reader));
	CHECK(tg_read_u8(&reader) == 1);
	CHECK(tg_reader_ok(&reader));
	CHECK(tg_read_u32(&reader) == 0);
	CHECK(!tg_reader_ok(&reader));
	CHECK(tg_reader_at_end(&reader) && tg_reader_left(&reader) == 0);
	CHECK(tg_read_u8(&reader) == 0);
	CHECK(tg_read_bytes(&reader, 0) == NULL);
	CHECK(tg_read_counted(&reader).data == NULL);
	CHECK(tg_read_counted(&reader).len == 0);
	CHECK(!tg_reader_ok(&reader));
}

/*
 * Reading nothing at the end is no failure; a length of 4 GB is.
 */
static void
check_end(void)
{
	TgReader	reader;

	tg_reader_init(&reader, "\000\000\000\000", 4);
	CHECK(tg_read_counted(&reader).len == 0);
	CHECK(tg_reader_ok(&reader) && tg_reader_at_end(&reader));
	CHECK(tg_read_bytes(&reader, 0) != NULL);
	CHECK(tg_reader_ok(&reader));

	tg_reader_init(&reader, "\377\377\377\377abc", 7);
	CHECK(tg_read_counted(&reader).data == NULL);
	CHECK(!tg_reader_ok(&reader));
}

static void
write_too_much(const void *arg)
{
	StringInfoData buf;

	initStringInfo(&buf);
	tg_write_bytes(&buf, "", (Size) PG_UINT32_MAX + 1);
}

/*
 * The suite.
 */
Datum
test_bytes(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	check_failure_lasts();
	check_end();
	CHECK(unit_sqlstate_of(write_too_much, NULL) == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
	for (int i = 0; i < lengthof(pinned); i++)
		unit_check_pinned(&pinned[i]);
	for (int i = 0; i < lengthof(codecs); i++)
		unit_check_codec(&codecs[i], rounds / 100);
	PG_RETURN_VOID();
}
