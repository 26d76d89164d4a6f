/*-------------------------------------------------------------------------
 *
 * test/unit/test_hlc.c
 *	  The hybrid logical clock under every fault of the clock below it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "miscadmin.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_hlc);

#define NODES			4
#define TICK_OF(stamp)	((stamp) >> TG_NODE_BITS)

/* What the next stamp is, in ordinary and odd cases. */
typedef struct NextSpec
{
	const char *name;
	uint64		last_ms;
	uint32		last_counter;
	TgNodeId	last_node;
	uint64		now_ms;
	TgNodeId	node;
	uint64		ms;
	uint32		counter;
} NextSpec;

static const NextSpec next_specs[] = {
	{"first", 0, 0, 0, 1000, 3, 1000, 0},
	{"time has passed", 1000, 7, 3, 1001, 3, 1001, 0},
	{"same millisecond", 1000, 7, 3, 1000, 3, 1000, 8},
	{"other node, lower", 1000, 7, 9, 1000, 3, 1000, 8},
	{"other node, higher", 1000, 7, 2, 1000, 3, 1000, 8},
	{"wall has stepped back", 1000, 7, 3, 10, 3, 1000, 8},
	{"counter is full", 1000, TG_MAX_COUNTER, 3, 1000, 3, 1001, 0},
	{"counter is full, stepped back", 1000, TG_MAX_COUNTER, 3, 0, 3, 1001, 0},
	{"counter is full, time has passed", 1000, TG_MAX_COUNTER, 3, 1001, 3, 1001, 0},
	{"clock before it knows its node", 1000, 7, 0, 1000, 0, 1000, 8},
	{"last millisecond", TG_MAX_MS, TG_MAX_COUNTER - 1, 3, 0, 3, TG_MAX_MS, TG_MAX_COUNTER},
};

static void
check_next(const NextSpec *spec)
{
	TgStamp		last = tg_stamp_make(spec->last_ms, spec->last_counter, spec->last_node);
	TgStamp		expected = tg_stamp_make(spec->ms, spec->counter, spec->node);

	CHECK_SHOWING(tg_hlc_next(last, spec->now_ms, spec->node) == expected,
				  "%s", spec->name);
}

/* What the wall clock does, and what is heard of others. */
typedef struct FaultSpec
{
	const char *name;
	uint64		stride_ms;		/* goes on by less than this each time */
	int			jump_one_in;	/* and once in so many times steps */
	uint64		jump_ms;		/* by up to this, either way */
	int			hear_one_in;	/* once in so many times a peer's stamp comes */
	uint64		skew_ms;		/* off by up to this, either way */
} FaultSpec;

static const FaultSpec fault_specs[] = {
	{"steady", 3, PG_INT32_MAX, 1, PG_INT32_MAX, 1},
	{"stopped", 1, PG_INT32_MAX, 1, 100000, 1},
	{"trembling", 2, 2, 3, 5, 3},
	{"corrected by a second", 3, 1000, 1000, 50, 100},
	{"an hour off", 3, 5000, 3600 * 1000, 50, 3600 * 1000},
	{"crowded", 1, 1000, 2, 2, 2},
	{"wild", 1000, 2, UINT64CONST(100) * 365 * 86400 * 1000, 2, 365 * UINT64CONST(86400000)},
};

static uint64
clamped(int64 ms)
{
	/* Leave room to count in: the end of time is another test. */
	return Max(0, Min(ms, (int64) (TG_MAX_MS - 1000000)));
}

static uint64
swayed(uint64 ms, uint64 by_ms)
{
	return clamped((int64) (ms + unit_below(2 * by_ms + 1)) - (int64) by_ms);
}

static uint64
wall_after(const FaultSpec *spec, uint64 now_ms)
{
	if (unit_one_in(spec->jump_one_in))
		return swayed(now_ms, spec->jump_ms);
	return clamped(now_ms + unit_below(spec->stride_ms));
}

/*
 * Several nodes, each with a wall clock of its own, hear of each other at
 * times.  Each stamp is greater than all that its node has made or heard of,
 * not before its wall clock, and the smallest that is so.
 */
static void
check_faults(const FaultSpec *spec, int rounds)
{
	uint64		wall_ms[NODES];
	TgStamp		newest[NODES];
	TgStamp		made[NODES];

	for (int i = 0; i < NODES; i++)
	{
		wall_ms[i] = swayed(UINT64CONST(850000000000), spec->skew_ms);
		newest[i] = made[i] = TG_NO_STAMP;
	}

	for (int round = 0; round < rounds; round++)
	{
		int			i = unit_below(NODES);
		TgNodeId	node = i * 341 + (i == 0);
		uint64		least;
		TgStamp		stamp;

		if (round % 10000 == 0)
			CHECK_FOR_INTERRUPTS();

		wall_ms[i] = wall_after(spec, wall_ms[i]);
		if (unit_one_in(spec->hear_one_in))
		{
			TgStamp		heard = made[unit_below(NODES)];

			newest[i] = Max(newest[i], heard);
		}

		stamp = tg_hlc_next(newest[i], wall_ms[i], node);
		least = Max(TICK_OF(newest[i]) + 1, wall_ms[i] << TG_COUNTER_BITS);

		CHECK_SHOWING(stamp > newest[i] && stamp > made[i], "%s", spec->name);
		CHECK_SHOWING(tg_stamp_ms(stamp) >= wall_ms[i], "%s", spec->name);
		CHECK_SHOWING(tg_stamp_node(stamp) == node, "%s", spec->name);
		CHECK_SHOWING(TICK_OF(stamp) == least, "%s", spec->name);
		newest[i] = made[i] = stamp;
	}
}

/*
 * Whatever stamp was seen last and whatever the time is.
 */
static void
check_any(int rounds)
{
	for (int round = 0; round < rounds; round++)
	{
		TgStamp		last = unit_edgy(PG_UINT64_MAX);
		uint64		now_ms = unit_edgy(TG_MAX_MS);
		TgNodeId	node = unit_node();
		TgStamp		stamp;

		if (tg_stamp_ms(last) == TG_MAX_MS && tg_stamp_counter(last) == TG_MAX_COUNTER)
			continue;
		stamp = tg_hlc_next(last, now_ms, node);
		CHECK(stamp > last && TICK_OF(stamp) > TICK_OF(last));
		CHECK(tg_stamp_ms(stamp) >= now_ms);
		CHECK(tg_stamp_node(stamp) == node);
		CHECK(TICK_OF(stamp) == TICK_OF(last) + 1 ||
			  (tg_stamp_ms(stamp) == now_ms && tg_stamp_counter(stamp) == 0));
	}
}

static void
run_past_the_end(const void *arg)
{
	tg_hlc_next(tg_stamp_make(TG_MAX_MS, TG_MAX_COUNTER, 1), 0, 1);
}

static void
run_beyond_the_end(const void *arg)
{
	tg_hlc_next(TG_NO_STAMP, TG_MAX_MS + 1, 1);
}

/* Is a stamp so far from now too far ahead? */
typedef struct DriftSpec
{
	uint64		ms;
	uint64		now_ms;
	uint64		max_drift_ms;
	bool		too_far;
} DriftSpec;

static const DriftSpec drift_specs[] = {
	{1000, 1000, 0, false},
	{1001, 1000, 0, true},
	{61000, 1000, 60000, false},
	{61001, 1000, 60000, true},
	{0, TG_MAX_MS, 0, false},
	{TG_MAX_MS, 0, TG_MAX_MS, false},
	{TG_MAX_MS, 0, TG_MAX_MS - 1, true},
	{TG_MAX_MS, 1, PG_UINT64_MAX, false},
	{0, PG_UINT64_MAX, PG_UINT64_MAX, false},
	{5, PG_UINT64_MAX, 1, false},
};

static void
check_drift(const DriftSpec *spec)
{
	TgStamp		stamp = tg_stamp_make(spec->ms, unit_edgy(TG_MAX_COUNTER), unit_node());

	CHECK_SHOWING(tg_hlc_too_far(stamp, spec->now_ms, spec->max_drift_ms) == spec->too_far,
				  "case %d", (int) (spec - drift_specs));
}

/*
 * The suite.
 */
Datum
test_hlc(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	for (int i = 0; i < lengthof(next_specs); i++)
		check_next(&next_specs[i]);
	for (int i = 0; i < lengthof(fault_specs); i++)
		check_faults(&fault_specs[i], rounds);
	check_any(rounds);
	for (int i = 0; i < lengthof(drift_specs); i++)
		check_drift(&drift_specs[i]);
	CHECK(unit_sqlstate_of(run_past_the_end, NULL) == ERRCODE_DATETIME_VALUE_OUT_OF_RANGE);
	CHECK(unit_sqlstate_of(run_beyond_the_end, NULL) == ERRCODE_DATETIME_VALUE_OUT_OF_RANGE);
	PG_RETURN_VOID();
}
