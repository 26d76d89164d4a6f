/*-------------------------------------------------------------------------
 *
 * src/transport/tree_now.c
 *	  Stored trees that have in them what this node has merged.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/guc.h"
#include "base/wait.h"
#include "journal/fold.h"
#include "journal/inflight.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "transport/tree_now.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define PAUSE_MS		2

/*
 * The newest position in this node's journal.
 */
TgPosition
tg_last_position(void)
{
	TgPosition	last = tg_inflight_last_position();

	return last != 0 ? last : tg_journal_last_position();
}

/*
 * The newest position whose changes the trees have in them, as the snapshot
 * sees them: where the fold stands, or the end of the journal before that.
 */
TgPosition
tg_folded_position(Snapshot snapshot)
{
	TgPosition	folded = tg_fold_position(snapshot);

	return Min(folded, tg_last_position());
}

static void
take_a_break(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 PAUSE_MS, tg_wait_event(TG_WAIT_PAUSE));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Bring the trees up to all that is visible now.  Those who are about to
 * commit may have to be waited for, but not for ever: one may wait for a
 * standby.  Nobody else folds until the end of the transaction.
 */
void
tg_fold_now(void)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_connect_timeout_ms);
	TgPosition	last = tg_last_position();

	if (tg_fold_position_now() >= last)
		return;
	(void) tg_fold_lock(true);
	for (;;)
	{
		bool		more = tg_fold();

		CommandCounterIncrement();
		if (tg_fold_position_now() >= last || (!more && GetCurrentTimestamp() >= deadline))
			return;
		if (!more)
			take_a_break();
	}
}

/*
 * Bring the trees up to date and read something from them, with a transaction
 * or without.  In somebody's transaction nothing stays of that, neither the
 * lock nor what was written: others would have to wait for its end.  What is
 * read goes into the caller's memory context.
 */
void
tg_fold_and_read(void (*read) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	bool		is_ours = !IsTransactionState();

	if (is_ours)
		StartTransactionCommand();
	else
		BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	tg_fold_now();
	read(arg);
	if (is_ours)
		CommitTransactionCommand();
	else
	{
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
	}
	MemoryContextSwitchTo(context);
}
