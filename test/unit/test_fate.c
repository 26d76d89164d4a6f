/*-------------------------------------------------------------------------
 *
 * test/unit/test_fate.c
 *	  Whether a transaction leaves a key deleted, told in any order.
 *
 * A history is what one transaction does to one key, in the order in which it
 * happens; playing it tells what is left.  The same entries must lead to the
 * same answer in whatever order they come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "journal/fate.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_fate);

#define SHORT_HISTORY	6		/* 720 orders */
#define LONG_HISTORY	60
#define SHUFFLES		10
#define MAX_GAP			3		/* small stamps, so that sums of them collide */

typedef struct History
{
	TgEntry		entries[LONG_HISTORY];
	int			nentries;
	TgStamp		clock;			/* not below any stamp so far */
	bool		is_there;		/* the row, and its stamp */
	TgStamp		stamp;
	bool		is_from_before; /* this transaction has not written the row */
	TgStamp		deleted;		/* greatest stamp of a deletion, or none */
} History;

static TgStamp
later(History *history)
{
	return history->clock += 1 + unit_below(MAX_GAP);
}

static TgEntry *
add_entry(History *history, TgOp op, TgStamp new_stamp)
{
	TgEntry    *entry = &history->entries[history->nentries++];

	Assert(history->nentries <= LONG_HISTORY);
	*entry = (TgEntry)
	{
		.table = 16,.op = op,.new_stamp = new_stamp,.key = tg_bytes("key", 3)
	};
	return entry;
}

static void
insert(History *history)
{
	history->stamp = later(history);
	history->is_there = true;
	history->is_from_before = false;
	add_entry(history, TG_OP_INSERT, history->stamp);
}

/*
 * A merged row may have the stamp of the row that it replaces.
 */
static void
update(History *history)
{
	TgStamp		stamp = unit_one_in(8) ? history->stamp : later(history);
	TgEntry    *entry = add_entry(history, TG_OP_UPDATE, stamp);

	entry->had_row = true;
	entry->old_stamp = history->stamp;
	history->stamp = stamp;
	history->is_from_before = false;
}

/*
 * So may a merged deletion.  If the row is not there, the deletion is a merged
 * one, newer than all before or older than some.
 */
static void
delete(History *history)
{
	bool		was_there = history->is_there;
	TgStamp		stamp;
	TgEntry    *entry;

	if (was_there)
		stamp = history->is_from_before && history->stamp != TG_NO_STAMP && unit_one_in(4) ?
			history->stamp : later(history);
	else
		stamp = unit_one_in(4) ? 1 + unit_below(history->clock + 1) : later(history);
	history->clock = Max(history->clock, stamp);
	entry = add_entry(history, TG_OP_DELETE, stamp);

	entry->had_row = was_there;
	entry->old_stamp = was_there ? history->stamp : TG_NO_STAMP;
	history->is_there = false;
	history->deleted = Max(history->deleted, stamp);
}

/*
 * Rows exchange unique values: the old version goes out and the new one comes
 * in, with one stamp.
 */
static void
exchange(History *history)
{
	bool		same = history->stamp != TG_NO_STAMP && unit_one_in(2);
	TgStamp		stamp = same ? history->stamp : later(history);
	TgEntry    *entry = add_entry(history, TG_OP_DELETE, stamp);

	entry->had_row = true;
	entry->old_stamp = history->stamp;
	add_entry(history, TG_OP_INSERT, stamp);
	history->stamp = stamp;
	history->is_from_before = false;
	history->deleted = Max(history->deleted, stamp);
}

/*
 * What says nothing about whether the key lives.
 */
static void
add_noise(History *history)
{
	TgOp		op = unit_one_in(2) ? TG_OP_ANNOUNCE : TG_OP_TRUNCATE;

	add_entry(history, op, unit_below(history->clock + 2));
}

/*
 * Rows from before topgun have no stamp.
 */
static void
play(History *history, int length)
{
	*history = (History)
	{
		.is_there = unit_one_in(2)
	};
	history->is_from_before = history->is_there;
	if (history->is_there && !unit_one_in(3))
		history->stamp = later(history);

	while (history->nentries < length)
	{
		if (unit_one_in(10))
			add_noise(history);
		else if (!history->is_there)
			unit_one_in(3) ? delete(history) : insert(history);
		else if (length - history->nentries >= 2 && unit_one_in(8))
			exchange(history);
		else
			unit_one_in(2) ? delete(history) : update(history);
	}
}

static void
check_order(const History *history)
{
	TgFate		fate = {0};

	for (int i = 0; i < history->nentries; i++)
		tg_fate_add(&fate, &history->entries[i]);

	CHECK(fate.deleted == history->deleted);
	CHECK_SHOWING(tg_fate_is_deleted(&fate) ==
				  (!history->is_there && history->deleted != TG_NO_STAMP),
				  "%d entries, balance " INT64_FORMAT ", trace " UINT64_FORMAT ", row is %s",
				  history->nentries, fate.balance, fate.trace,
				  history->is_there ? "there" : "gone");
}

static void
swap(History *history, int i, int j)
{
	TgEntry		entry = history->entries[i];

	history->entries[i] = history->entries[j];
	history->entries[j] = entry;
}

/*
 * All orders of the entries from the given one on.
 */
static void
check_all_orders(History *history, int from)
{
	if (from >= history->nentries)
	{
		check_order(history);
		return;
	}
	for (int i = from; i < history->nentries; i++)
	{
		swap(history, from, i);
		check_all_orders(history, from + 1);
		swap(history, from, i);
	}
}

static void
shuffle(History *history)
{
	for (int i = history->nentries - 1; i > 0; i--)
		swap(history, i, unit_below(i + 1));
}

/*
 * The suite.
 */
Datum
test_fate(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);
	History		history;

	for (int i = 0; i < rounds / 100; i++)
	{
		play(&history, unit_below(SHORT_HISTORY + 1));
		check_all_orders(&history, 0);
	}
	for (int i = 0; i < rounds / 100; i++)
	{
		play(&history, unit_below(LONG_HISTORY + 1));
		check_order(&history);
		for (int j = 0; j < SHUFFLES; j++)
		{
			shuffle(&history);
			check_order(&history);
		}
	}
	PG_RETURN_VOID();
}
