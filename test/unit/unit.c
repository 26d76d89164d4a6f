/*-------------------------------------------------------------------------
 *
 * test/unit/unit.c
 *	  What the unit tests share: checks and chance.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "common/pg_prng.h"
#include "unit.h"

PG_MODULE_MAGIC;

/*
 * Begin a suite: seed chance with its first argument, return its second, the
 * number of rounds.
 */
int
unit_start(FunctionCallInfo fcinfo)
{
	pg_prng_seed(&pg_global_prng_state, (uint64) PG_GETARG_INT64(0));
	return PG_GETARG_INT32(1);
}

/*
 * Report a check that has failed.
 */
void
unit_fail(const char *condition, const char *file, int line,
		  const char *fmt,...)
{
	char		values[1024];
	const char *name = strrchr(file, '/');
	va_list		args;

	va_start(args, fmt);
	vsnprintf(values, sizeof(values), fmt, args);
	va_end(args);

	ereport(ERROR,
			(errcode(ERRCODE_ASSERT_FAILURE),
			 errmsg("%s:%d: not so: %s", name ? name + 1 : file, line, condition),
			 errdetail_internal("%s", values)));
}

/*
 * The SQLSTATE with which body(arg) errors out, 0 if it does not.
 */
int
unit_sqlstate_of(void (*body) (const void *arg), const void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	volatile int sqlstate = 0;

	PG_TRY();
	{
		body(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		sqlstate = geterrcode();
		FlushErrorState();
	}
	PG_END_TRY();
	return sqlstate;
}

/*
 * A number from 0 to bound - 1.
 */
uint64
unit_below(uint64 bound)
{
	return pg_prng_uint64_range(&pg_global_prng_state, 0, bound - 1);
}

/*
 * True once in n times.
 */
bool
unit_one_in(int n)
{
	return unit_below(n) == 0;
}

/*
 * A number from 0 to max, often one at which things change.
 */
uint64
unit_edgy(uint64 max)
{
	uint64		power = UINT64CONST(1) << unit_below(64);

	switch (unit_below(8))
	{
		case 0:
			return 0;
		case 1:
			return Min(max, 1);
		case 2:
			return max;
		case 3:
			return max - Min(max, 1);
		case 4:
			return Min(max, power - 1);
		case 5:
			return Min(max, power);
		default:
			return max == PG_UINT64_MAX ? pg_prng_uint64(&pg_global_prng_state) :
				unit_below(max + 1);
	}
}

/*
 * A node.
 */
TgNodeId
unit_node(void)
{
	return 1 + unit_edgy(TG_MAX_NODE - 1);
}

/*
 * A stamp that a node can make.
 */
TgStamp
unit_stamp(void)
{
	return tg_stamp_make(unit_edgy(TG_MAX_MS), unit_edgy(TG_MAX_COUNTER),
						 unit_node());
}

/*
 * A life of a node, or none.
 */
TgIncarnation
unit_incarnation(void)
{
	TgIncarnation incarnation = {unit_edgy(PG_UINT32_MAX), 0};

	if (incarnation.counter != 0)
		incarnation.random = unit_edgy(PG_UINT64_MAX);
	return incarnation;
}

/*
 * Somebody who speaks.
 */
TgSpeaker
unit_speaker(void)
{
	TgSpeaker	speaker = {
		.node = unit_node(),
		.epoch = unit_edgy(PG_UINT64_MAX),
		.view_id = unit_edgy(PG_UINT64_MAX),
		.incarnation = unit_incarnation()
	};

	return speaker;
}

/*
 * Are they the same?
 */
bool
unit_is_speaker(const TgSpeaker *a, const TgSpeaker *b)
{
	return a->node == b->node && a->epoch == b->epoch && a->view_id == b->view_id &&
		tg_incarnation_is(a->incarnation, b->incarnation);
}

/*
 * Random bytes in the current memory context.
 */
TgBytes
unit_bytes(uint32 min_len, uint32 max_len)
{
	TgBytes		result;
	char	   *data;

	result.len = min_len + unit_below(max_len - min_len + 1);
	result.data = data = palloc(result.len + 1);
	for (uint32 i = 0; i < result.len; i++)
		data[i] = (char) unit_edgy(255);
	return result;
}

/*
 * Are they as long, and equal?
 */
bool
unit_same_bytes(TgBytes a, TgBytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
