/*-------------------------------------------------------------------------
 *
 * src/transport/tree_now.c
 *	  Stored trees that have in them what this node has merged.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "journal/fold.h"
#include "journal/inflight.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "transport/tree_now.h"
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

static TgPosition
fold_position(void)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TgPosition	position = tg_fold_position(snapshot);

	UnregisterSnapshot(snapshot);
	return position;
}

static void
take_a_break(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 PAUSE_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Bring the trees up to all that is visible now.  Those who are about to
 * commit may have to be waited for.  Nobody else folds until the end of the
 * transaction.
 */
void
tg_fold_now(void)
{
	TgPosition	last = tg_last_position();

	if (fold_position() >= last)
		return;
	(void) tg_fold_lock(true);
	while (fold_position() < last)
	{
		bool		more = tg_fold();

		CommandCounterIncrement();
		if (!more && fold_position() < last)
			take_a_break();
	}
}
