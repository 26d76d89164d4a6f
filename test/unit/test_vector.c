/*-------------------------------------------------------------------------
 *
 * test/unit/test_vector.c
 *	  Vectors: their algebra, against an array by node, and their bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "clock/vector.h"
#include "miscadmin.h"
#include "unit.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(test_vector);

static TgVector *
random_vector(void)
{
	TgVector   *vector = tg_vector_create();
	int			nraises = unit_below(30);

	/* Few nodes, so that two vectors share some.  A bound may be anything. */
	for (int i = 0; i < nraises; i++)
		tg_vector_raise(vector, unit_one_in(4) ? unit_node() : 1 + unit_below(8),
						unit_edgy(PG_UINT64_MAX));
	return vector;
}

static bool
is_equal(const TgVector *a, const TgVector *b)
{
	if (a->nentries != b->nentries)
		return false;
	for (int i = 0; i < a->nentries; i++)
	{
		if (a->entries[i].node != b->entries[i].node ||
			a->entries[i].stamp != b->entries[i].stamp)
			return false;
	}
	return true;
}

static void
check_sound(const TgVector *vector)
{
	CHECK(vector->nentries <= vector->max_entries);
	for (int i = 0; i < vector->nentries; i++)
	{
		CHECK(vector->entries[i].stamp != TG_NO_STAMP);
		CHECK(vector->entries[i].node >= 1 && vector->entries[i].node <= TG_MAX_NODE);
		CHECK(i == 0 || vector->entries[i - 1].node < vector->entries[i].node);
	}
}

static TgVector *
merged(const TgVector *a, const TgVector *b)
{
	TgVector   *result = tg_vector_copy(a);
	bool		grown = tg_vector_merge(result, b);

	check_sound(result);
	CHECK(grown == !is_equal(result, a));
	return result;
}

/*
 * A vector is an array of stamps by node that only go up.
 */
static void
check_raise(void)
{
	TgStamp		model[TG_MAX_NODE + 1] = {0};
	TgVector   *vector = tg_vector_create();
	int			nraises = unit_below(2 * TG_MAX_NODE);

	for (int i = 0; i < nraises; i++)
	{
		TgNodeId	node = unit_node();
		TgStamp		stamp = unit_edgy(PG_UINT64_MAX);

		CHECK(tg_vector_raise(vector, node, stamp) == (stamp > model[node]));
		model[node] = Max(model[node], stamp);
	}

	check_sound(vector);
	for (TgNodeId node = 1; node <= TG_MAX_NODE; node++)
	{
		TgStamp		at = tg_stamp_make(unit_edgy(TG_MAX_MS), unit_edgy(TG_MAX_COUNTER), node);

		CHECK(tg_vector_get(vector, node) == model[node]);
		CHECK(tg_vector_covers(vector, at) == (at <= model[node]));
	}
	CHECK(tg_vector_get(vector, 0) == TG_NO_STAMP);
	CHECK(!tg_vector_covers(vector, TG_NO_STAMP));
	CHECK(!tg_vector_covers(vector, tg_stamp_make(1, 0, 0)));
}

/*
 * The order of merging, and how often, does not matter.
 */
static void
check_algebra(void)
{
	TgVector   *a = random_vector();
	TgVector   *b = random_vector();
	TgVector   *c = random_vector();
	TgVector   *before = tg_vector_copy(b);
	TgVector   *ab = merged(a, b);
	TgStamp		stamp = unit_stamp();

	CHECK(is_equal(ab, merged(b, a)));
	CHECK(is_equal(merged(ab, c), merged(a, merged(b, c))));
	CHECK(is_equal(merged(a, a), a));
	CHECK(is_equal(merged(ab, b), ab));
	CHECK(is_equal(merged(a, tg_vector_create()), a));
	CHECK(is_equal(merged(tg_vector_create(), a), a));
	CHECK(is_equal(b, before));

	stamp = tg_stamp_make(tg_stamp_ms(stamp), tg_stamp_counter(stamp), 1 + unit_below(8));
	CHECK(tg_vector_covers(ab, stamp) ==
		  (tg_vector_covers(a, stamp) || tg_vector_covers(b, stamp)));

	/* A copy is its own. */
	tg_vector_raise(before, 5, PG_UINT64_MAX);
	CHECK(tg_vector_get(b, 5) == PG_UINT64_MAX || !is_equal(b, before));
}

/*
 * A vector grows in the context in which it was made.
 */
static void
check_context(void)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "vector check",
												  ALLOCSET_DEFAULT_SIZES);
	TgVector   *vector = tg_vector_create();
	MemoryContext old = MemoryContextSwitchTo(scratch);

	for (TgNodeId node = TG_MAX_NODE; node >= 1; node--)
		tg_vector_raise(vector, node, node);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);

	CHECK(vector->nentries == TG_MAX_NODE);
	CHECK(GetMemoryChunkContext(vector->entries) == CurrentMemoryContext);
}

static void
make_vector(StringInfo buf)
{
	TgVector   *vector = random_vector();
	TgVector   *back;
	StringInfoData bytes;
	TgReader	reader;

	initStringInfo(&bytes);
	tg_vector_write(&bytes, vector);
	tg_reader_init(&reader, bytes.data, bytes.len);
	back = tg_vector_read(&reader);
	CHECK(back != NULL && is_equal(back, vector));
	check_sound(back);
	tg_write_bytes(buf, bytes.data, bytes.len);
}

static bool
copy_vector(TgReader *reader, StringInfo out)
{
	TgVector   *vector = tg_vector_read(reader);

	CHECK((vector != NULL) == tg_reader_ok(reader));
	if (vector == NULL)
		return false;
	check_sound(vector);
	tg_vector_write(out, vector);
	return true;
}

static const UnitCodec codecs[] = {
	{"vector", make_vector, copy_vector},
};

static void
make_pinned(StringInfo buf)
{
	TgVector   *vector = tg_vector_create();

	tg_vector_raise(vector, 1023, UINT64CONST(0xF1E2D3C4B5A69788));
	tg_vector_raise(vector, 2, 1);
	tg_vector_write(buf, vector);
}

static const UnitPinned pinned[] = {
	{"vector", make_pinned, "0002" "0002" "0000000000000001" "03ff" "f1e2d3c4b5a69788"},
};

/*
 * The suite.
 */
Datum
test_vector(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "vector rounds",
												  ALLOCSET_DEFAULT_SIZES);

	check_context();
	for (int i = 0; i < rounds / 10; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		check_algebra();
		if (i % 100 == 0)
			check_raise();
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	for (int i = 0; i < lengthof(pinned); i++)
		unit_check_pinned(&pinned[i]);
	for (int i = 0; i < lengthof(codecs); i++)
		unit_check_codec(&codecs[i], rounds / 100);
	PG_RETURN_VOID();
}
