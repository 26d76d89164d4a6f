/*-------------------------------------------------------------------------
 *
 * test/unit/test_wire_copy.c
 *	  Messages about the key ranges of a table that is copied, and their
 *	  bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "transport/wire_copy.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_wire_copy);

static bool
is_node(TgNodeId node)
{
	return node >= 1 && node <= TG_MAX_NODE;
}

static TgBytes
random_key(void)
{
	static const TgBytes none = {NULL, 0};

	return unit_one_in(3) ? none : unit_bytes(1, 40);
}

/* Request. */

static void
make_range(StringInfo buf)
{
	TgRangeRequest request = {
		.asker = unit_speaker(),
		.table = 1 + unit_edgy(PG_INT32_MAX - 1),
	};
	TgRangeRequest back;
	TgReader	reader;

	request.range.after = random_key();
	request.range.upto = random_key();
	tg_wire_write_range(buf, &request);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_range(&reader, &back));
	CHECK(unit_is_speaker(&back.asker, &request.asker));
	CHECK(back.table == request.table);
	CHECK(unit_same_bytes(back.range.after, request.range.after));
	CHECK(unit_same_bytes(back.range.upto, request.range.upto));
}

static bool
copy_range(TgReader *reader, StringInfo out)
{
	TgRangeRequest request;

	if (!tg_wire_read_range(reader, &request))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(request.asker.node));
	CHECK(request.table > 0);
	tg_wire_write_range(out, &request);
	return true;
}

/* Bounds. */

static void
make_bounds(StringInfo buf)
{
	TgBytes		bounds[4];
	TgBoundsAnswer answer = {
		.sender = unit_node(),
		.epoch = unit_edgy(PG_UINT64_MAX),
		.fingerprint = unit_edgy(PG_UINT64_MAX),
		.truncation = unit_one_in(2) ? TG_NO_STAMP : unit_stamp(),
		.nbounds = unit_below(lengthof(bounds) + 1),
		.bounds = bounds
	};
	TgBoundsAnswer back;
	TgReader	reader;

	for (uint32 i = 0; i < answer.nbounds; i++)
		bounds[i] = unit_bytes(1, 40);
	tg_wire_write_bounds(buf, &answer);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_bounds(&reader, &back));
	CHECK(back.sender == answer.sender);
	CHECK(back.epoch == answer.epoch);
	CHECK(back.fingerprint == answer.fingerprint);
	CHECK(back.truncation == answer.truncation);
	CHECK(back.nbounds == answer.nbounds);
	for (uint32 i = 0; i < answer.nbounds; i++)
		CHECK(unit_same_bytes(back.bounds[i], bounds[i]));
}

static bool
copy_bounds(TgReader *reader, StringInfo out)
{
	TgBoundsAnswer answer;

	if (!tg_wire_read_bounds(reader, &answer))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(answer.sender));
	CHECK(tg_stamp_is_valid(answer.truncation));
	for (uint32 i = 0; i < answer.nbounds; i++)
		CHECK(answer.bounds[i].len > 0);
	tg_wire_write_bounds(out, &answer);
	return true;
}

static const UnitCodec codecs[] = {
	{"range request", make_range, copy_range},
	{"bounds", make_bounds, copy_bounds},
};

/* Bytes for ever. */

#define BIG				UINT64CONST(0xF1E2D3C4B5A69788)

static void
pin_range(StringInfo buf)
{
	TgRangeRequest request = {.asker = {1023, 9, 10, {7, 255}},.table = 258,
	.range = {.upto = {.data = "key",.len = 3}}};

	tg_wire_write_range(buf, &request);
}

static void
pin_bounds(StringInfo buf)
{
	TgBytes		bound = {.data = "key",.len = 3};
	TgBoundsAnswer answer = {.sender = 3,.epoch = 9,.fingerprint = BIG - 1,.truncation = BIG,
	.nbounds = 1,.bounds = &bound};

	tg_wire_write_bounds(buf, &answer);
}

static const UnitPinned pinned[] = {
	{"range request", pin_range,
	"5447010c" "03ff" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff" "00000102" "00000000" "00000003" "6b6579"},
	{"bounds", pin_bounds,
		"5447010d" "0003" "0000000000000009" "f1e2d3c4b5a69787" "f1e2d3c4b5a69788"
	"00000001" "00000003" "6b6579"},
};

/*
 * The suite.
 */
Datum
test_wire_copy(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	for (int i = 0; i < lengthof(pinned); i++)
		unit_check_pinned(&pinned[i]);
	for (int i = 0; i < lengthof(codecs); i++)
		unit_check_codec(&codecs[i], rounds / 200);
	PG_RETURN_VOID();
}
