/*-------------------------------------------------------------------------
 *
 * src/api/stamp.c
 *	  The SQL type topgun.stamp: its functions.
 *
 * No function takes or gives a time without a node: every value of the type
 * can be dumped and restored.  A row that no node has written has NULL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/sortsupport.h"
#include "utils/timestamp.h"

#define COMPARISON_FUNCTION(name, operator) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	TgStamp		a = PG_GETARG_TGSTAMP(0); \
	TgStamp		b = PG_GETARG_TGSTAMP(1); \
 \
	PG_RETURN_BOOL(a operator b); \
}

COMPARISON_FUNCTION(topgun_stamp_lt, <)
COMPARISON_FUNCTION(topgun_stamp_le, <=)
COMPARISON_FUNCTION(topgun_stamp_eq, ==)
COMPARISON_FUNCTION(topgun_stamp_ne, !=)
COMPARISON_FUNCTION(topgun_stamp_ge, >=)
COMPARISON_FUNCTION(topgun_stamp_gt, >)

PG_FUNCTION_INFO_V1(topgun_stamp_in);
PG_FUNCTION_INFO_V1(topgun_stamp_out);
PG_FUNCTION_INFO_V1(topgun_stamp_recv);
PG_FUNCTION_INFO_V1(topgun_stamp_send);
PG_FUNCTION_INFO_V1(topgun_stamp_cmp);
PG_FUNCTION_INFO_V1(topgun_stamp_sortsupport);
PG_FUNCTION_INFO_V1(topgun_stamp_hash);
PG_FUNCTION_INFO_V1(topgun_stamp_hash_extended);
PG_FUNCTION_INFO_V1(topgun_stamp_larger);
PG_FUNCTION_INFO_V1(topgun_stamp_smaller);
PG_FUNCTION_INFO_V1(topgun_stamp_time);
PG_FUNCTION_INFO_V1(topgun_stamp_node);

/*
 * Text input.
 */
Datum
topgun_stamp_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	TgStamp		stamp;

	if (!tg_stamp_parse(text, &stamp))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						"topgun.stamp", text),
				 errhint("A stamp looks like \"2026-11-23 08:04:12.123Z/5@3\": time in UTC from 2000 to 2139, counter up to %d, node from 1 to %d.",
						 TG_MAX_COUNTER, TG_MAX_NODE)));

	PG_RETURN_TGSTAMP(stamp);
}

/*
 * Text output.
 */
Datum
topgun_stamp_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(TG_STAMP_TEXT_SIZE);

	tg_stamp_format(PG_GETARG_TGSTAMP(0), text);
	PG_RETURN_CSTRING(text);
}

/*
 * Binary input: eight bytes, big-endian.
 */
Datum
topgun_stamp_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	TgStamp		stamp = (TgStamp) pq_getmsgint64(buf);

	if (tg_stamp_node(stamp) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "topgun.stamp"),
				 errhint("The low %d bits of a stamp are the id of a node, from 1 to %d.",
						 TG_NODE_BITS, TG_MAX_NODE)));

	PG_RETURN_TGSTAMP(stamp);
}

/*
 * Binary output.
 */
Datum
topgun_stamp_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint64(&buf, PG_GETARG_TGSTAMP(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/*
 * Three-way comparison, for btree.
 */
Datum
topgun_stamp_cmp(PG_FUNCTION_ARGS)
{
	TgStamp		a = PG_GETARG_TGSTAMP(0);
	TgStamp		b = PG_GETARG_TGSTAMP(1);

	PG_RETURN_INT32((a > b) - (a < b));
}

/*
 * Sorting: a Datum is the stamp itself.
 */
Datum
topgun_stamp_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = ssup_datum_unsigned_cmp;
	PG_RETURN_VOID();
}

/*
 * Hash of 32 bits.
 */
Datum
topgun_stamp_hash(PG_FUNCTION_ARGS)
{
	return hashint8(fcinfo);
}

/*
 * Hash of 64 bits with a seed.
 */
Datum
topgun_stamp_hash_extended(PG_FUNCTION_ARGS)
{
	return hashint8extended(fcinfo);
}

/*
 * The later of two, for max().
 */
Datum
topgun_stamp_larger(PG_FUNCTION_ARGS)
{
	TgStamp		a = PG_GETARG_TGSTAMP(0);
	TgStamp		b = PG_GETARG_TGSTAMP(1);

	PG_RETURN_TGSTAMP(Max(a, b));
}

/*
 * The earlier of two, for min().
 */
Datum
topgun_stamp_smaller(PG_FUNCTION_ARGS)
{
	TgStamp		a = PG_GETARG_TGSTAMP(0);
	TgStamp		b = PG_GETARG_TGSTAMP(1);

	PG_RETURN_TGSTAMP(Min(a, b));
}

/*
 * When, by the clock of its node: both count from 2000-01-01 UTC.
 */
Datum
topgun_stamp_time(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ((TimestampTz) tg_stamp_ms(PG_GETARG_TGSTAMP(0)) * 1000);
}

/*
 * By which node.
 */
Datum
topgun_stamp_node(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(tg_stamp_node(PG_GETARG_TGSTAMP(0)));
}
