/*-------------------------------------------------------------------------
 *
 * test/unit/test_stamp.c
 *	  Stamps: parts, order, text form.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_stamp);

/* Texts and their stamps, for ever. */
typedef struct TextSpec
{
	const char *text;
	uint64		ms;
	uint32		counter;
	TgNodeId	node;
} TextSpec;

static const TextSpec text_specs[] = {
	{"2000-01-01 00:00:00.000Z/0@1", 0, 0, 1},
	{"2000-02-29 00:00:00.000Z/0@2", UINT64CONST(5097600000), 0, 2},
	{"2026-11-23 08:04:12.123Z/5@3", UINT64CONST(848736252123), 5, 3},
	{"2100-02-28 23:59:59.999Z/10@100", UINT64CONST(3160857599999), 10, 100},
	{"2100-03-01 00:00:00.000Z/4095@1023", UINT64CONST(3160857600000), 4095, 1023},
	{"2139-05-15 07:35:11.103Z/4095@1023", TG_MAX_MS, TG_MAX_COUNTER, TG_MAX_NODE},
};

static const char *const bad_texts[] = {
	"",
	" ",
	"0",
	"now",
	"infinity",
	"2026-11-23",
	"2026-11-23 08:04:12.123Z",
	"2026-11-23 08:04:12.123Z/5",
	"2026-11-23 08:04:12.123Z/5@",
	"2026-11-23 08:04:12.123Z/@3",
	"2026-11-23 08:04:12.123Z/5@0",
	"2026-11-23 08:04:12.123Z/5@1024",
	"2026-11-23 08:04:12.123Z/4096@3",
	"2026-11-23 08:04:12.123Z/-1@3",
	"2026-11-23 08:04:12.123Z/5@-3",
	"2026-11-23 08:04:12.123Z/+5@3",
	"2026-11-23 08:04:12.123Z/05@3",
	"2026-11-23 08:04:12.123Z/5@03",
	"2026-11-23 08:04:12.123Z/5@3 ",
	" 2026-11-23 08:04:12.123Z/5@3",
	"2026-11-23 08:04:12.123Z/5 @3",
	"2026-11-23  08:04:12.123Z/5@3",
	"2026-11-23 08:04:12.123Z/5@3x",
	"2026-11-23 08:04:12.123Z/5@3\n",
	"2026-11-23 08:04:12.123+00/5@3",
	"2026-11-23 08:04:12.123/5@3",
	"2026-11-23 08:04:12.12Z/5@3",
	"2026-11-23 08:04:12.1234Z/5@3",
	"2026-11-23 08:04:12Z/5@3",
	"2026-11-23 08:04:60.000Z/5@3",
	"2026-11-23 08:60:12.123Z/5@3",
	"2026-11-23 24:00:00.000Z/5@3",
	"2026-11-31 08:04:12.123Z/5@3",
	"2026-02-29 08:04:12.123Z/5@3",
	"2100-02-29 08:04:12.123Z/5@3",
	"2026-13-01 08:04:12.123Z/5@3",
	"2026-00-01 08:04:12.123Z/5@3",
	"2026-01-00 08:04:12.123Z/5@3",
	"2026-11-23T08:04:12.123Z/5@3",
	"2026-11-23 08:04:12.123z/5@3",
	"2026-11-23 08:04:12,123Z/5@3",
	"26-11-23 08:04:12.123Z/5@3",
	"02026-11-23 08:04:12.123Z/5@3",
	"1999-12-31 23:59:59.999Z/0@1",
	"0000-01-01 00:00:00.000Z/0@1",
	"-999-01-01 00:00:00.000Z/0@1",
	"9999-12-31 23:59:59.999Z/0@1",
	"2139-05-15 07:35:11.104Z/0@1",
	"99999999999999999999-11-23 08:04:12.123Z/5@3",
	"2026-11-23 08:04:12.123Z/99999999999999999999@3",
	"2026-11-23 08:04:12.123Z/5@99999999999999999999",
};

static void
check_text(const TextSpec *spec)
{
	TgStamp		stamp = tg_stamp_make(spec->ms, spec->counter, spec->node);
	TgStamp		parsed = 0;
	char		printed[TG_STAMP_TEXT_SIZE];

	tg_stamp_format(stamp, printed);
	CHECK_SHOWING(strcmp(printed, spec->text) == 0, "%s", printed);
	CHECK_SHOWING(tg_stamp_parse(spec->text, &parsed) && parsed == stamp,
				  "%s", spec->text);
}

static void
check_bad_text(const char *text)
{
	TgStamp		parsed = 42;

	CHECK_SHOWING(!tg_stamp_parse(text, &parsed) && parsed == 42, "%s", text);
}

/*
 * A value that no row can have has a text, but no text gives it.
 */
static void
check_no_node(void)
{
	char		printed[TG_STAMP_TEXT_SIZE];

	tg_stamp_format(TG_NO_STAMP, printed);
	CHECK_SHOWING(strcmp(printed, "2000-01-01 00:00:00.000Z/0@0") == 0, "%s", printed);
	check_bad_text(printed);
}

/*
 * Stamps are in the order of their time, then counter, then node.
 */
static void
check_order(int rounds)
{
	for (int i = 0; i < rounds; i++)
	{
		TgStamp		a = unit_stamp();
		TgStamp		b = unit_stamp();
		bool		before;

		/* Random ones would seldom agree in a part. */
		if (unit_one_in(2))
			b = tg_stamp_make(tg_stamp_ms(a), tg_stamp_counter(b), tg_stamp_node(b));
		if (unit_one_in(2))
			b = tg_stamp_make(tg_stamp_ms(b), tg_stamp_counter(a), tg_stamp_node(b));

		if (tg_stamp_ms(a) != tg_stamp_ms(b))
			before = tg_stamp_ms(a) < tg_stamp_ms(b);
		else if (tg_stamp_counter(a) != tg_stamp_counter(b))
			before = tg_stamp_counter(a) < tg_stamp_counter(b);
		else
			before = tg_stamp_node(a) < tg_stamp_node(b);
		CHECK((a < b) == before);
	}
}

static void
check_parts(int rounds)
{
	for (int i = 0; i < rounds; i++)
	{
		uint64		ms = unit_edgy(TG_MAX_MS);
		uint32		counter = unit_edgy(TG_MAX_COUNTER);
		TgNodeId	node = unit_edgy(TG_MAX_NODE);
		TgStamp		stamp = tg_stamp_make(ms, counter, node);

		CHECK(tg_stamp_ms(stamp) == ms);
		CHECK(tg_stamp_counter(stamp) == counter);
		CHECK(tg_stamp_node(stamp) == node);
		CHECK(tg_stamp_is_valid(stamp) == (node != 0 || stamp == TG_NO_STAMP));
	}
}

/*
 * Every stamp with a node has a text, which gives it back.  A text with one
 * character changed is refused, or is the text of another stamp.
 */
static void
check_round_trip(int rounds)
{
	for (int i = 0; i < rounds; i++)
	{
		TgStamp		stamp = unit_edgy(PG_UINT64_MAX);
		TgStamp		parsed = 0;
		char		printed[TG_STAMP_TEXT_SIZE];
		char		again[TG_STAMP_TEXT_SIZE];

		if (i % 10000 == 0)
			CHECK_FOR_INTERRUPTS();
		if (tg_stamp_node(stamp) == 0)
			stamp |= unit_node();

		tg_stamp_format(stamp, printed);
		CHECK_SHOWING(tg_stamp_parse(printed, &parsed) && parsed == stamp, "%s", printed);

		printed[unit_below(strlen(printed))] = " 0123456789-:.Z/@+x"[unit_below(19)];
		if (!tg_stamp_parse(printed, &parsed))
			continue;
		tg_stamp_format(parsed, again);
		CHECK_SHOWING(strcmp(printed, again) == 0, "%s read as %s", printed, again);
	}
}

/*
 * The suite.
 */
Datum
test_stamp(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	for (int i = 0; i < lengthof(text_specs); i++)
		check_text(&text_specs[i]);
	for (int i = 0; i < lengthof(bad_texts); i++)
		check_bad_text(bad_texts[i]);
	check_no_node();
	check_order(rounds);
	check_parts(rounds);
	check_round_trip(rounds);
	PG_RETURN_VOID();
}
