/*-------------------------------------------------------------------------
 *
 * test/unit/test_wire.c
 *	  Messages between nodes and their bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "transport/wire.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_wire);

static TgCursor
random_cursor(void)
{
	TgCursor	cursor;

	cursor.position = unit_edgy(PG_UINT64_MAX);
	cursor.part = unit_edgy(TG_WHOLE_POSITION);
	return cursor;
}

static TgTableId
random_table(void)
{
	return 1 + unit_edgy(PG_INT32_MAX - 1);
}

static TgVector *
random_vector(void)
{
	TgVector   *vector = tg_vector_create();
	int			nraises = unit_below(6);

	for (int i = 0; i < nraises; i++)
		tg_vector_raise(vector, unit_node(), unit_edgy(PG_UINT64_MAX));
	return vector;
}

static bool
same_cursor(TgCursor a, TgCursor b)
{
	return a.position == b.position && a.part == b.part;
}

static bool
same_vector(const TgVector *a, const TgVector *b)
{
	for (TgNodeId node = 1; node <= TG_MAX_NODE; node++)
	{
		if (tg_vector_get(a, node) != tg_vector_get(b, node))
			return false;
	}
	return true;
}

static bool
is_node(TgNodeId node)
{
	return node >= 1 && node <= TG_MAX_NODE;
}

/* Pull request. */

static void
make_pull(StringInfo buf)
{
	TgPullRequest request = {
		.asker = unit_speaker(),
		.cursor = random_cursor(),
		.flushed = random_cursor(),
		.in_step = unit_one_in(2),
		.settled = unit_edgy(PG_UINT64_MAX),
		.vector = random_vector(),
		.give_back = unit_one_in(2),
		.max_bytes = unit_edgy(PG_UINT32_MAX),
	};
	TgPullRequest back;
	TgReader	reader;

	tg_wire_write_pull(buf, &request);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_pull(&reader, &back));
	CHECK(unit_is_speaker(&back.asker, &request.asker));
	CHECK(same_cursor(back.cursor, request.cursor));
	CHECK(same_cursor(back.flushed, request.flushed));
	CHECK(back.in_step == request.in_step);
	CHECK(back.settled == request.settled);
	CHECK(same_vector(back.vector, request.vector));
	CHECK(back.give_back == request.give_back);
	CHECK(back.max_bytes == request.max_bytes);
}

static bool
copy_pull(TgReader *reader, StringInfo out)
{
	TgPullRequest request;

	if (!tg_wire_read_pull(reader, &request))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(request.asker.node));
	tg_wire_write_pull(out, &request);
	return true;
}

/* Copy request. */

static void
make_copy(StringInfo buf)
{
	TgCopyRequest request = {
		.asker = unit_speaker(),
		.table = random_table(),
		.has_after = unit_one_in(2),
		.newer_than = unit_edgy(PG_UINT64_MAX),
		.max_bytes = unit_edgy(PG_UINT32_MAX),
	};
	TgCopyRequest back;
	TgReader	reader;

	if (request.has_after)
		request.after = unit_bytes(1, 40);
	tg_wire_write_copy(buf, &request);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_copy(&reader, &back));
	CHECK(unit_is_speaker(&back.asker, &request.asker));
	CHECK(back.table == request.table);
	CHECK(back.has_after == request.has_after);
	CHECK(unit_same_bytes(back.after, request.after));
	CHECK(back.newer_than == request.newer_than);
	CHECK(back.max_bytes == request.max_bytes);
}

static bool
copy_copy(TgReader *reader, StringInfo out)
{
	TgCopyRequest request;

	if (!tg_wire_read_copy(reader, &request))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(request.asker.node));
	CHECK(request.table > 0);
	CHECK(request.has_after == (request.after.len > 0));
	tg_wire_write_copy(out, &request);
	return true;
}

/* Change, section, answer: each with what it holds. */

static void
make_change(StringInfo buf)
{
	static const TgChangeKind kinds[] = {
		TG_CHANGE_ROW, TG_CHANGE_DELETE, TG_CHANGE_TRUNCATE
	};
	TgChange	change = {
		.kind = kinds[unit_below(lengthof(kinds))],
		.stamp = unit_one_in(8) ? TG_NO_STAMP : unit_stamp(),
	};
	int			start = buf->len;
	TgChange	back;
	TgReader	reader;

	if (change.kind != TG_CHANGE_TRUNCATE)
		change.payload = unit_bytes(1, 30);
	tg_wire_write_change(buf, &change);
	tg_reader_init(&reader, buf->data + start, buf->len - start);
	CHECK(tg_wire_read_change(&reader, &back));
	CHECK(back.kind == change.kind);
	CHECK(back.stamp == change.stamp);
	CHECK(unit_same_bytes(back.payload, change.payload));
}

static bool
copy_change(TgReader *reader, StringInfo out)
{
	TgChange	change;
	bool		accepted = tg_wire_read_change(reader, &change);

	CHECK(accepted == tg_reader_ok(reader));
	if (!accepted)
		return false;
	CHECK(change.kind >= TG_CHANGE_ROW && change.kind <= TG_CHANGE_TRUNCATE);
	CHECK((change.kind == TG_CHANGE_TRUNCATE) == (change.payload.len == 0));
	CHECK(tg_stamp_is_valid(change.stamp));
	tg_wire_write_change(out, &change);
	return true;
}

static void
make_section(StringInfo buf)
{
	TgSectionHead head = {
		.table = random_table(),
		.fingerprint = unit_edgy(PG_UINT64_MAX),
		.nchanges = unit_below(4),
	};
	int			start = buf->len;
	TgSectionHead back;
	TgReader	reader;

	tg_wire_write_section(buf, &head);
	for (uint32 i = 0; i < head.nchanges; i++)
		make_change(buf);
	tg_reader_init(&reader, buf->data + start, buf->len - start);
	CHECK(tg_wire_read_section(&reader, &back));
	CHECK(back.table == head.table);
	CHECK(back.fingerprint == head.fingerprint);
	CHECK(back.nchanges == head.nchanges);
}

static bool
copy_section(TgReader *reader, StringInfo out)
{
	TgSectionHead head;
	bool		accepted = tg_wire_read_section(reader, &head);

	CHECK(accepted == tg_reader_ok(reader));
	if (!accepted)
		return false;
	CHECK(head.table > 0);
	CHECK(head.nchanges <= tg_reader_left(reader) / 13);
	tg_wire_write_section(out, &head);
	for (uint32 i = 0; i < head.nchanges; i++)
	{
		if (!copy_change(reader, out))
			return false;
	}
	return true;
}

static void
make_answer(StringInfo buf)
{
	TgAnswerHead head = {
		.sender = unit_speaker(),
		.cursor = random_cursor(),
		.last_position = unit_edgy(PG_UINT64_MAX),
		.acknowledge = unit_one_in(2),
		.complete = unit_one_in(2),
		.vector = random_vector(),
		.ntables = unit_below(3),
	};
	TgAnswerHead back;
	TgReader	reader;

	tg_wire_write_answer(buf, &head);
	for (uint32 i = 0; i < head.ntables; i++)
		make_section(buf);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_answer(&reader, &back));
	CHECK(unit_is_speaker(&back.sender, &head.sender));
	CHECK(same_cursor(back.cursor, head.cursor));
	CHECK(back.last_position == head.last_position);
	CHECK(back.acknowledge == head.acknowledge);
	CHECK(back.complete == head.complete);
	CHECK(same_vector(back.vector, head.vector));
	CHECK(back.ntables == head.ntables);
}

static bool
copy_answer(TgReader *reader, StringInfo out)
{
	TgAnswerHead head;
	bool		accepted = tg_wire_read_answer(reader, &head);

	CHECK(accepted == tg_reader_ok(reader));
	if (!accepted)
		return false;
	CHECK(is_node(head.sender.node));
	CHECK(head.ntables <= tg_reader_left(reader) / 16);
	tg_wire_write_answer(out, &head);
	for (uint32 i = 0; i < head.ntables; i++)
	{
		if (!copy_section(reader, out))
			return false;
	}
	return true;
}

/* Who asks. */

static void
make_asker(StringInfo buf)
{
	TgSpeaker	asker = unit_speaker();

	tg_wire_write_asker(buf, &asker);
}

static bool
copy_asker(TgReader *reader, StringInfo out)
{
	TgSpeaker	asker;

	if (!tg_wire_read_asker(reader, &asker))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(asker.node));
	tg_wire_write_asker(out, &asker);
	return true;
}

static const UnitCodec codecs[] = {
	{"asker", make_asker, copy_asker},
	{"pull request", make_pull, copy_pull},
	{"copy request", make_copy, copy_copy},
	{"change", make_change, copy_change},
	{"section", make_section, copy_section},
	{"answer", make_answer, copy_answer},
};

/* Bytes for ever. */

#define BIG				UINT64CONST(0xF1E2D3C4B5A69788)

static TgVector *
pinned_vector(void)
{
	TgVector   *vector = tg_vector_create();

	tg_vector_raise(vector, 7, BIG);
	return vector;
}

static void
pin_pull(StringInfo buf)
{
	TgPullRequest request = {.asker = {3, 9, 10, {7, 255}},.cursor = {BIG, 1},
	.flushed = {BIG - 1, TG_WHOLE_POSITION},.in_step = true,.settled = BIG - 2,.vector = pinned_vector(),
	.give_back = true,.max_bytes = 65536};

	tg_wire_write_pull(buf, &request);
}

static void
pin_copy(StringInfo buf)
{
	TgCopyRequest request = {.asker = {1023, 9, 10, {7, 255}},.table = 258,.has_after = true,
	.after = {.data = "key",.len = 3},.newer_than = BIG,.max_bytes = 65536};

	tg_wire_write_copy(buf, &request);
}

static void
pin_answer(StringInfo buf)
{
	TgAnswerHead head = {.sender = {3, 9, 10, {7, 255}},.cursor = {BIG, 1},.last_position = BIG + 1,
	.complete = true,.vector = pinned_vector(),.ntables = 1};
	TgSectionHead section = {.table = 258,.fingerprint = BIG,.nchanges = 1};
	TgChange	change = {.kind = TG_CHANGE_DELETE,.stamp = BIG,
	.payload = {.data = "key",.len = 3}};

	tg_wire_write_answer(buf, &head);
	tg_wire_write_section(buf, &section);
	tg_wire_write_change(buf, &change);
}

static void
pin_asker(StringInfo buf)
{
	TgSpeaker	asker = {3, 9, 10, {7, 255}};

	tg_wire_write_asker(buf, &asker);
}

static const UnitPinned pinned[] = {
	{"asker", pin_asker,
	"5447010f" "0003" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff"},
	{"pull request", pin_pull,
		"54470101" "0003" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff"
		"f1e2d3c4b5a69788" "00000001" "f1e2d3c4b5a69787" "ffffffff" "01"
	"f1e2d3c4b5a69786" "01" "00010000" "0001" "0007" "f1e2d3c4b5a69788"},
	{"copy request", pin_copy,
		"54470102" "03ff" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff" "00000102" "00010000"
	"f1e2d3c4b5a69788" "01" "00000003" "6b6579"},
	{"answer", pin_answer,
		"54470103" "0003" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff" "f1e2d3c4b5a69788" "00000001"
		"f1e2d3c4b5a69789" "00" "01" "0001" "0007" "f1e2d3c4b5a69788" "00000001"
		"00000102" "f1e2d3c4b5a69788" "00000001"
	"02" "f1e2d3c4b5a69788" "00000003" "6b6579"},
};

/*
 * A message of another kind, version or protocol is refused by all.
 */
static void
check_sign(const UnitPinned *message)
{
	StringInfoData buf;

	initStringInfo(&buf);
	message->make(&buf);
	for (int place = 0; place < 4; place++)
	{
		for (int flipped = 0; flipped < 8; flipped++)
		{
			TgPullRequest pull;
			TgCopyRequest copy;
			TgAnswerHead answer;
			TgReader	reader;

			buf.data[place] ^= 1 << flipped;
			tg_reader_init(&reader, buf.data, buf.len);
			CHECK(!tg_wire_read_pull(&reader, &pull));
			tg_reader_init(&reader, buf.data, buf.len);
			CHECK(!tg_wire_read_copy(&reader, &copy));
			tg_reader_init(&reader, buf.data, buf.len);
			CHECK(!tg_wire_read_answer(&reader, &answer));
			buf.data[place] ^= 1 << flipped;
		}
	}
}

/*
 * The suite.
 */
Datum
test_wire(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	for (int i = 0; i < lengthof(pinned); i++)
	{
		unit_check_pinned(&pinned[i]);
		check_sign(&pinned[i]);
	}
	for (int i = 0; i < lengthof(codecs); i++)
		unit_check_codec(&codecs[i], rounds / 200);
	PG_RETURN_VOID();
}
