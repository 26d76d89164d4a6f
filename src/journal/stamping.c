/*-------------------------------------------------------------------------
 *
 * src/journal/stamping.c
 *	  Whose stamp does the row get that is being written now?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "clock/epoch.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "journal/stamping.h"

/* The stamps that this transaction has made lie in this range. */
static struct
{
	TgStamp		first;			/* TG_NO_STAMP: none yet */
	TgStamp		last;
}			own;

/* What a merge has written and the triggers are about to see, in their order. */
static struct
{
	TgMergedRow *next;
	int			nleft;			/* from "next" on */
	int			nest;			/* transaction nest level of the merge */
}			expected;

/* Does the cluster write, and no client? */
static struct
{
	bool		is_so;
	int			nest;			/* transaction nest level */
}			for_cluster;

/*
 * A fresh stamp for a row that this transaction writes.  Errors out if this
 * database is not a node, or if clients may not write on it.
 */
TgStamp
tg_write_stamp(void)
{
	TgNodeId	node = tg_node_id_required();

	if (likely(!for_cluster.is_so))
		tg_epoch_require_writable();
	tg_mark_recover();
	tg_inflight_enter(node);
	own.last = tg_clock_tick(node);
	if (own.first == TG_NO_STAMP)
		own.first = own.last;
	return own.last;
}

/*
 * A fresh stamp that is newer than that of the row it does away with.
 */
TgStamp
tg_write_stamp_after(TgStamp old_stamp)
{
	TgStamp		stamp = tg_write_stamp();

	if (likely(stamp > old_stamp))
		return stamp;
	tg_clock_observe(old_stamp);
	return tg_write_stamp();
}

/*
 * Can this stamp be one that this transaction has made?
 */
bool
tg_write_stamp_is_ours(TgStamp stamp)
{
	return own.first != TG_NO_STAMP &&
		stamp >= own.first && stamp <= own.last &&
		tg_stamp_node(stamp) == tg_stamp_node(own.first);
}

/*
 * The transaction has ended: what it made and expected is forgotten.
 */
void
tg_write_stamp_reset(void)
{
	own.first = own.last = TG_NO_STAMP;
	for_cluster.is_so = false;
	tg_merge_expect_nothing();
}

/*
 * What is written from now on is the cluster's business, as merges and its
 * metadata are: no fence holds it up.  Returns what held before, to be set
 * again; the end of the transaction does that, too.
 */
bool
tg_write_for_cluster(bool is_so)
{
	bool		was_so = for_cluster.is_so;

	if (is_so && !was_so)
		for_cluster.nest = GetCurrentTransactionNestLevel();
	for_cluster.is_so = is_so;
	return was_so;
}

/*
 * A merge has written these rows, or is about to truncate.  The triggers see
 * them in this order; the array must stay until tg_merge_expect_nothing().
 */
void
tg_merge_expect(TgMergedRow *rows, int nrows)
{
	expected.next = rows;
	expected.nleft = nrows;
	expected.nest = GetCurrentTransactionNestLevel();
}

/*
 * The merge has written; whatever is written now is local again.
 */
void
tg_merge_expect_nothing(void)
{
	expected.nleft = 0;
}

/*
 * A subtransaction is rolled back: so is a merge in it, or below.
 */
void
tg_merge_expect_aborted(int nest)
{
	if (expected.nest >= nest)
		tg_merge_expect_nothing();
	if (for_cluster.nest >= nest)
		for_cluster.is_so = false;
}

static bool
is_tid(ItemPointer expected_tid, ItemPointer tid)
{
	if (tid == NULL || !ItemPointerIsValid(expected_tid))
		return tid == NULL && !ItemPointerIsValid(expected_tid);
	return ItemPointerEquals(expected_tid, tid);
}

/*
 * Is this row the next that a merge has written, and with which stamp?  For a
 * TRUNCATE the tid is NULL.  Others that triggers write meanwhile, in the same
 * relation maybe, are local writes.
 */
bool
tg_merge_expected(Oid relid, ItemPointer tid, TgStamp *stamp)
{
	if (expected.nleft == 0 || expected.next->relid != relid ||
		!is_tid(&expected.next->tid, tid))
		return false;
	*stamp = expected.next->stamp;
	expected.next++;
	expected.nleft--;
	return true;
}
