/*-------------------------------------------------------------------------
 *
 * src/transport/return.c
 *	  Coming back to a peer whose journal has been cut behind our cursor, or
 *	  that had us evicted.
 *
 * As a node that joins does, and in this order:
 *	1. ask the peer how far its journal goes, and what it has merged;
 *	2. make every table the same on both sides, by the trees;
 *	3. take over the tombstones that we may not have, and what waits in the
 *	   peer's quarantine;
 *	4. go on to read the journal at the place of step 1, and copy anew the
 *	   tables that were not in step.
 * What the peer changes after step 1 lies behind that place, what it had
 * changed before is in its trees.  One look is enough: a difference that was
 * on its way is merged as any other.
 *
 * Each step is its own transaction, and repeating them is harmless: what is
 * interrupted begins again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/catalog.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/wait.h"
#include "clock/identity.h"
#include "journal/append.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "transport/compare.h"
#include "transport/copy.h"
#include "transport/cursors.h"
#include "transport/peer.h"
#include "transport/repair.h"
#include "transport/resume.h"
#include "transport/return.h"
#include "transport/settled.h"
#include "transport/state.h"
#include "transport/view_store.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#define LOCK_CLASS			3	/* of advisory locks; SQL has 1 and 2 */
#define LOCK_PAUSE_MS		200

typedef struct Return
{
	TgLink	   *link;
	const TgMember *peer;
	TgStamp		settled;		/* tombstones up to it are here */
	List	   *tables;			/* those made the same */
	TgRepairCounts counts;
} Return;

static void
begin(void)
{
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
}

static void
commit(void)
{
	MemoryContext context = CurrentMemoryContext;

	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

static void
add_counts(TgRepairCounts *to, const TgRepairCounts *counts)
{
	to->fetched += counts->fetched;
	to->pushed += counts->pushed;
	to->deleted_here += counts->deleted_here;
	to->deleted_there += counts->deleted_there;
	to->applied_here += counts->applied_here;
	to->quarantined += counts->quarantined;
	to->bytes += counts->bytes;
}

/*
 * Make the rows of a table the same on both sides.
 */
static void
exchange_rows(Return *back, TgTableId table)
{
	TgLook	   *look = tg_look(back->link, back->peer, table);
	TgLeafSet	leaves;
	TgRepair	repair = {
		.link = back->link,
		.peer = back->peer,
		.table = table,
		.leaves = &leaves,
		.returning = true,
		.known = back->settled
	};

	if (look->their_status == TG_TABLE_MISSING)
		return;					/* removed meanwhile: so it will be here */
	if (look->their_status != TG_TABLE_SYNCED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %d is not in step on node \"%s\"", table, back->peer->name)));
	tg_look_leaves(look, &leaves);
	tg_repair(&repair);
	add_counts(&back->counts, &repair.counts);
	back->counts.bytes += look->bytes;
}

/*
 * Take over tombstones and quarantined rows of a table.
 */
static void
copy_rest(Return *back, TgTableId table)
{
	TgCopyPlace place = {0};
	bool		more;

	tg_copy_skip_rows(&place, back->settled);
	do
	{
		begin();
		more = tg_copy_chunk(back->link, back->peer->node, table, &place);
		commit();
	} while (more);
}

static int
compare_tables(const ListCell *left, const ListCell *right)
{
	TgTableId	a = lfirst_int(left);
	TgTableId	b = lfirst_int(right);

	return a < b ? -1 : a > b ? 1 : 0;
}

/*
 * The tables in step here, those with the cluster's metadata first.
 */
static List *
tables_in_step(void)
{
	List	   *tables = NIL;
	ListCell   *lc;

	begin();
	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);

		if (state->status == TG_TABLE_SYNCED)
			tables = lappend_int(tables, state->table);
	}
	commit();
	list_sort(tables, compare_tables);
	return tables;
}

static TgPeerCursor *
cursor_of(List *cursors, const TgMember *peer)
{
	ListCell   *lc;

	foreach(lc, cursors)
	{
		TgPeerCursor *cursor = lfirst(lc);

		if (cursor->peer == peer->node)
			return cursor;
	}
	ereport(ERROR,
			(errcode(ERRCODE_TG_PROTOCOL),
			 errmsg("node \"%s\" does not know its own place", peer->name)));
}

/*
 * Tables that were left out miss what lies between our cursor and the place: a
 * copy that was under way relies on the journals of the peers that it has
 * done with.  So they are copied anew.  What is paused or missing will be when
 * it is resumed.
 */
static void
copy_left_out(const Return *back)
{
	ListCell   *lc;

	/* keeps out whoever goes on with a copy */
	LockRelationOid(tg_catalog_oid(TG_CAT_TABLE_STATE), ShareRowExclusiveLock);
	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);

		if (state->status == TG_TABLE_PAUSED || state->status == TG_TABLE_MISSING)
			continue;
		if (state->status == TG_TABLE_SYNCED && list_member_int(back->tables, state->table))
			continue;
		tg_copy_begin(state);
		tg_table_state_put(state);
	}
}

/*
 * From now on read the peer's journal from the place.  What its vector covers
 * we have, unless a table was left out.
 */
static void
take_place(Return *back, const TgPeerCursor *place)
{
	TgPeerCursor at;

	begin();
	tg_floor_adopt(back->link, back->peer);
	copy_left_out(back);
	tg_peer_cursor_load(place->peer, &at);
	at.cursor = place->cursor;
	if (tg_tables_in_step())
		(void) tg_vector_merge(at.vector, place->vector);
	tg_journal_set_source(at.peer, at.vector);
	tg_peer_cursor_save(&at);
	tg_set_returning_to(at.peer, false);
	TG_FAILPOINT("return-before-cursor");
	commit();
}

static void
report(const Return *back)
{
	const TgRepairCounts *counts = &back->counts;
	TgMergeCounts merged = {.applied = counts->applied_here,.quarantined = counts->quarantined};

	tg_peer_add_counts(back->peer->node, &merged, counts->bytes);

	ereport(LOG,
			(errmsg("came back to node \"%s\" by difference", back->peer->name),
			 errdetail("%lld rows were fetched, %lld were sent, %lld were deleted here, %lld there; %lld bytes.",
					   (long long) counts->fetched, (long long) counts->pushed,
					   (long long) counts->deleted_here, (long long) counts->deleted_there,
					   (long long) counts->bytes)));
}

static bool
try_lock(LOCKTAG *tag)
{
	bool		is_locked;

	begin();
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, tg_catalog_oid(TG_CAT_PEER_CURSOR), 0, LOCK_CLASS);
	is_locked = LockAcquire(tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	commit();
	return is_locked;
}

/*
 * One return at a time: what a node gets from one peer it need not get from
 * the next.  Waits without a snapshot.  The lock is given back at the end of
 * the process as well.
 */
static void
lock_returns(LOCKTAG *tag)
{
	while (!try_lock(tag))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOCK_PAUSE_MS, tg_wait_event(TG_WAIT_PAUSE));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Come back to a peer that has told us ERRCODE_TG_JOURNAL_CUT, or after
 * topgun.rejoin().  Afterwards our
 * cursor in its journal is one that can be read from.  Runs outside of a
 * transaction; no request may be under way on the link.
 */
void
tg_return(TgLink *link, const TgMember *peer)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun return",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext table_context = AllocSetContextCreate(context, "topgun return table",
														ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	LOCKTAG		tag;
	Return		back = {.link = link,.peer = peer};
	List	   *cursors;
	ListCell   *lc;

	Assert(!IsTransactionState());

	lock_returns(&tag);
	begin();
	back.settled = tg_settled_here(tg_node_id_required());
	commit();
	cursors = tg_cursors_ask(link);
	TG_FAILPOINT("return-after-places");
	back.tables = tables_in_step();
	foreach(lc, back.tables)
	{
		MemoryContextSwitchTo(table_context);
		exchange_rows(&back, lfirst_int(lc));
		copy_rest(&back, lfirst_int(lc));
		MemoryContextSwitchTo(context);
		MemoryContextReset(table_context);
	}
	take_place(&back, cursor_of(cursors, peer));
	report(&back);
	LockRelease(&tag, ExclusiveLock, true);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
