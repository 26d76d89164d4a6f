/*-------------------------------------------------------------------------
 *
 * test/unit/test_wire_pulse.c
 *	  The heartbeat message and its bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/wire_pulse.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_wire_pulse);

static void
make_pulse(StringInfo buf)
{
	TgPulse		pulse = {
		.sender = unit_node(),
		.epoch = unit_edgy(PG_UINT64_MAX),
		.view_id = unit_edgy(PG_UINT64_MAX),
		.incarnation = unit_incarnation(),
		.ceiling = unit_edgy(PG_UINT64_MAX),
		.clock = unit_edgy(PG_UINT64_MAX),
		.wall_us = (int64) unit_edgy(PG_UINT64_MAX),
	};
	int			nsuspects = unit_one_in(4) ? TG_PULSE_MAX_SUSPECTS : unit_below(5);
	int			nancestors = unit_one_in(4) ? TG_PULSE_MAX_ANCESTORS : unit_below(5);
	uint32		counter = pulse.incarnation.counter;
	TgPulse		back;
	TgReader	reader;

	for (int i = 0; i < nsuspects; i++)
		pulse.suspects[pulse.nsuspects++] = (i + 1) * 15;
	while (pulse.nancestors < nancestors && counter > 2)
	{
		TgIncarnation *ancestor = &pulse.ancestors[pulse.nancestors++];

		ancestor->counter = 1 + unit_edgy(counter - 2);
		ancestor->random = unit_edgy(PG_UINT64_MAX);
		counter = ancestor->counter;
	}

	tg_wire_write_pulse(buf, &pulse);
	tg_reader_init(&reader, buf->data, buf->len);
	memset(&back, 0, sizeof(back));
	CHECK(tg_wire_read_pulse(&reader, &back));
	CHECK(back.sender == pulse.sender && back.epoch == pulse.epoch && back.view_id == pulse.view_id);
	CHECK(tg_incarnation_is(back.incarnation, pulse.incarnation));
	CHECK(back.ceiling == pulse.ceiling && back.clock == pulse.clock && back.wall_us == pulse.wall_us);
	CHECK(back.nsuspects == pulse.nsuspects);
	CHECK(memcmp(back.suspects, pulse.suspects, sizeof(back.suspects)) == 0);
	CHECK(back.nancestors == pulse.nancestors);
	for (int i = 0; i < back.nancestors; i++)
		CHECK(tg_incarnation_is(back.ancestors[i], pulse.ancestors[i]));
}

static bool
copy_pulse(TgReader *reader, StringInfo out)
{
	TgPulse		pulse;

	if (!tg_wire_read_pulse(reader, &pulse))
		return false;
	tg_wire_write_pulse(out, &pulse);
	return true;
}

static void
pin_pulse(StringInfo buf)
{
	TgPulse		pulse = {
		.sender = 3,
		.epoch = 9,
		.view_id = UINT64CONST(0xF1E2D3C4B5A69788),
		.incarnation = {7, UINT64CONST(0x0102030405060708)},
		.ceiling = UINT64CONST(0xF1E2D3C4B5A60000),
		.clock = UINT64CONST(0xF1E2D3C4B5A60001),
		.wall_us = -1,
		.nsuspects = 2,
		.suspects = {1, 1023},
		.nancestors = 1,
		.ancestors = {{6, 255}}
	};

	tg_wire_write_pulse(buf, &pulse);
}

static const UnitCodec codec = {"pulse", make_pulse, copy_pulse};

static const UnitPinned pinned = {"pulse", pin_pulse,
	"5447010e" "0003" "0000000000000009" "f1e2d3c4b5a69788"
	"00000007" "0102030405060708" "f1e2d3c4b5a60000" "f1e2d3c4b5a60001" "ffffffffffffffff"
	"0002" "0001" "03ff" "0001" "00000006" "00000000000000ff"
};

/*
 * The suite.
 */
Datum
test_wire_pulse(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	unit_check_pinned(&pinned);
	unit_check_codec(&codec, rounds / 200);
	PG_RETURN_VOID();
}
