/*-------------------------------------------------------------------------
 *
 * test/unit/test_token.c
 *	  Tokens: the right to a resource, bound to an epoch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/token.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_token);

#define GRACE_MS		1000

/* One question about a resource in epoch 7, whose holder is node 3. */
typedef struct TokenSpec
{
	const char *name;
	TgEpoch		issued;			/* epoch of the record's token */
	TgNodeId	holder;
	bool		is_member;
	int64		age_ms;			/* of epoch 7 */
	bool		counts;
	bool		is_valid;
	bool		other_may_take;
} TokenSpec;

static const TokenSpec specs[] = {
	{"of the current epoch", 7, 3, true, 5000, true, true, false},
	{"of the current epoch, which is new", 7, 3, true, 0, true, true, false},
	{"of the epoch before, within grace", 6, 3, true, 999, true, true, false},
	{"of the epoch before, just after grace", 6, 3, true, 1000, false, false, true},
	{"of the epoch before, long after", 6, 3, true, PG_INT64_MAX, false, false, true},
	{"stale, though the epoch is new", 5, 3, true, 0, false, false, true},
	{"of an epoch to come", 8, 3, true, 0, false, false, true},
	{"released", 7, 0, false, 5000, true, false, true},
	{"of a node that has failed", 7, 3, false, 5000, true, false, true},
	{"of a node that has failed, within grace", 6, 3, false, 0, true, false, true},
};

static void
check_spec(const TokenSpec *spec)
{
	TgTokenTime now = {.epoch = 7,.age_ms = spec->age_ms,.grace_ms = GRACE_MS};
	TgTokenRecord record = {
		.holder = spec->holder,
		.holder_is_member = spec->is_member,
		.token = tg_token_make(spec->issued, 11)
	};

	CHECK_SHOWING(tg_token_counts(record.token, &now) == spec->counts, "%s", spec->name);
	CHECK_SHOWING(tg_token_is_valid(&record, record.token, &now) == spec->is_valid, "%s", spec->name);
	CHECK_SHOWING(tg_token_may_take(&record, 4, &now) == spec->other_may_take, "%s", spec->name);
	if (spec->holder == 3)
		CHECK_SHOWING(tg_token_may_take(&record, 3, &now), "%s", spec->name);

	/* no other token of the resource is valid, nor one of another */
	CHECK(!tg_token_is_valid(&record, tg_token_make(spec->issued, 10), &now));
	CHECK(!tg_token_is_valid(&record, tg_token_make(7, 12), &now));
	CHECK(!tg_token_is_valid(&record, TG_NO_TOKEN, &now));
	CHECK(!tg_token_is_valid(&record, -1, &now));
}

/*
 * Of a resource that nobody has asked for there is nothing to hold.
 */
static void
check_unknown(void)
{
	TgTokenTime now = {.epoch = 1,.age_ms = 0,.grace_ms = GRACE_MS};
	TgTokenRecord record = {0};

	CHECK(!tg_token_is_held(&record, &now));
	CHECK(!tg_token_is_valid(&record, TG_NO_TOKEN, &now));
	CHECK(!tg_token_is_valid(&record, tg_token_make(1, 1), &now));
	CHECK(tg_token_may_take(&record, 1, &now));
}

static void
check_order(void)
{
	int64		max_serial = (INT64CONST(1) << TG_TOKEN_SERIAL_BITS) - 1;
	TgEpoch		epoch = 1 + unit_below(1000000);
	int64		serial = 1 + unit_edgy(max_serial - 2);
	int64		token = tg_token_make(epoch, serial);

	CHECK(tg_token_epoch(token) == epoch);
	CHECK(token > 0);
	CHECK(tg_token_make(epoch, serial + 1) > token);
	CHECK(tg_token_make(epoch + 1, 1) > tg_token_make(epoch, max_serial));
}

/*
 * Two nodes ask, release, fail; epochs go by.  In no epoch are tokens of two
 * nodes valid at once, and each is greater than all before.
 */
static void
check_any(int rounds)
{
	TgTokenRecord record = {0};
	TgTokenTime now = {.epoch = 1,.grace_ms = GRACE_MS};
	int64		last[4] = {0};
	int64		greatest = 0;
	int64		serial = 0;

	for (int i = 0; i < rounds; i++)
	{
		TgNodeId	node = 1 + unit_below(3);
		int			nvalid = 0;

		now.age_ms += unit_below(400);
		switch (unit_below(5))
		{
			case 0:
				now.epoch++;
				now.age_ms = 0;
				record.holder_is_member = unit_one_in(2);
				break;
			case 1:
				if (tg_token_is_valid(&record, last[node], &now))
					record.holder = 0;
				break;
			default:
				if (!tg_token_may_take(&record, node, &now))
					break;
				serial += 1 + unit_below(3);
				record.token = last[node] = tg_token_make(now.epoch, serial);
				record.holder = node;
				record.holder_is_member = true;
				CHECK(record.token > greatest);
				greatest = record.token;
				break;
		}
		for (int k = 1; k <= 3; k++)
			nvalid += tg_token_is_valid(&record, last[k], &now);
		CHECK(nvalid <= 1);
	}
}

/*
 * The suite.
 */
Datum
test_token(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	for (int i = 0; i < lengthof(specs); i++)
		check_spec(&specs[i]);
	check_unknown();
	for (int i = 0; i < Min(rounds, 10000); i++)
		check_order();
	check_any(Min(rounds, 100000));
	PG_RETURN_VOID();
}
