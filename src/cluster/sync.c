/*-------------------------------------------------------------------------
 *
 * src/cluster/sync.c
 *	  Waiting until all members have what all members had.
 *
 * The backend that waits asks each member itself, over a link of its own: for
 * the newest position in the member's journal, and how far it has come in
 * ours.  The first answer of each member sets what we must reach there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/wait.h"
#include "clock/identity.h"
#include "cluster/sync.h"
#include "cluster/tables.h"
#include "journal/inflight.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "transport/gate.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/state.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define POLL_MS			5
#define ONLY_OURS		(-1)	/* instead of a number of tables: what we have
								 * is all that matters */
#define RETRY_MS		100		/* after a failure to reach a member */
#define GRACE_MS		100		/* for an answer, when the time is over */

/* One member, while we wait for it. */
typedef struct Awaited
{
	TgMember   *member;
	TgLink	   *link;			/* NULL: not connected */
	MemoryContext context;		/* of the link */
	TgPosition	their_last;		/* what we must have of theirs; 0: not asked */
} Awaited;

/* What a member says of itself. */
typedef struct SyncState
{
	uint64		last_position;
	uint64		merged;			/* of the asker's journal */
	int			tables;			/* how many it replicates */
	int			tables_out;		/* of these, not in step */
} SyncState;

static TgPosition
last_position(void)
{
	TgPosition	last = tg_inflight_last_position();

	return last != 0 ? last : tg_journal_last_position();
}

static TgPosition
merged_of(TgNodeId node)
{
	TgPeer		peer;

	if (!tg_peer_get(node, &peer) || peer.cursor.part != TG_WHOLE_POSITION)
		return 0;
	return peer.cursor.position;
}

static void
count_tables(int *total, int *out)
{
	List	   *tables = tg_tables_listed();
	ListCell   *lc;

	*total = list_length(tables);
	*out = *total;
	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);

		if (state->status == TG_TABLE_SYNCED && tg_table_is_listed(tables, state->table))
			(*out)--;
	}
}

/*
 * What this node says of itself to a member that waits.
 */
char *
tg_sync_state_text(TgNodeId asker)
{
	int			total;
	int			out;

	(void) tg_node_id_required();
	count_tables(&total, &out);
	return psprintf(UINT64_FORMAT " " UINT64_FORMAT " %d %d",
					last_position(), merged_of(asker), total, out);
}

static void
open_link(Awaited *awaited, TimestampTz deadline)
{
	MemoryContext old = MemoryContextSwitchTo(awaited->context);

	awaited->link = tg_link_open_until(awaited->member->dsn, awaited->member->name,
									   TimestampTzPlusMilliseconds(deadline, GRACE_MS));
	MemoryContextSwitchTo(old);
}

static void
ask_member(Awaited *awaited, TimestampTz deadline, SyncState *state)
{
	TgLinkParam param = tg_speaker_param();
	char	   *text;

	if (awaited->link == NULL)
		open_link(awaited, deadline);
	text = tg_link_ask(awaited->link, "SELECT topgun_internal.sync_state($1)", 1, &param);

	if (text == NULL || sscanf(text, UINT64_FORMAT " " UINT64_FORMAT " %d %d",
							   &state->last_position, &state->merged,
							   &state->tables, &state->tables_out) != 4)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken answer from node \"%s\"", awaited->member->name)));
}

/*
 * Ask a member; a failure to reach it means "not yet", and so does another epoch.
 * Nothing is open but the link, which is dropped.
 */
static bool
try_ask(Awaited *awaited, TimestampTz deadline, SyncState *state)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool answered = true;

	PG_TRY();
	{
		ask_member(awaited, deadline, state);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		if (!tg_link_is_absence(geterrcode()) && geterrcode() != ERRCODE_TG_STALE_EPOCH)
			PG_RE_THROW();
		FlushErrorState();
		MemoryContextReset(awaited->context);
		awaited->link = NULL;
		answered = false;
	}
	PG_END_TRY();
	return answered;
}

static bool
is_in_step(Awaited *awaited, TgPosition our_last, int our_tables, TimestampTz deadline)
{
	SyncState	state;

	if (!try_ask(awaited, deadline, &state))
		return false;
	if (our_tables == ONLY_OURS)
		return state.merged >= our_last;
	if (awaited->their_last == 0)
		awaited->their_last = state.last_position;
	return state.merged >= our_last &&
		state.tables == our_tables && state.tables_out == 0 &&
		merged_of(awaited->member->node) >= awaited->their_last;
}

static Awaited *
find_peers(TgNodeId self, int *npeers)
{
	List	   *members = tg_members();
	Awaited    *peers = palloc0((list_length(members) + 1) * sizeof(Awaited));
	ListCell   *lc;

	*npeers = 0;
	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (!member->is_active || member->node == self)
			continue;
		peers[*npeers].member = member;
		peers[*npeers].context = AllocSetContextCreate(CurrentMemoryContext,
													   "topgun awaited",
													   ALLOCSET_SMALL_SIZES);
		(*npeers)++;
	}
	return peers;
}

static void
pause_before_next(long pause_ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 pause_ms, tg_wait_event(TG_WAIT_PAUSE));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static bool
wait_for(long timeout_ms, bool only_ours)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	TgNodeId	self = tg_node_id_required();
	TgPosition	our_last = last_position();
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun sync",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MemoryContext scratch = AllocSetContextCreate(context, "topgun sync turn",
												  ALLOCSET_DEFAULT_SIZES);
	int			npeers;
	Awaited    *peers = find_peers(self, &npeers);
	bool		is_done = false;

	MemoryContextSwitchTo(scratch);

	for (int waiting_for = 0;;)
	{
		int			tables;
		int			out;

		count_tables(&tables, &out);
		if (only_ours)
		{
			tables = ONLY_OURS;
			out = 0;
		}
		while (waiting_for < npeers && out == 0 &&
			   is_in_step(&peers[waiting_for], our_last, tables, deadline))
			waiting_for++;
		is_done = waiting_for == npeers && out == 0;
		if (is_done || GetCurrentTimestamp() >= deadline)
			break;
		pause_before_next(out == 0 && peers[waiting_for].link == NULL ? RETRY_MS : POLL_MS);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return is_done;
}

/*
 * Wait until every active member has merged all that is committed here now.
 * False if that is not so within the time.
 */
bool
tg_wait_until_sent(long timeout_ms)
{
	return wait_for(timeout_ms, true);
}

/*
 * Wait until every active member has merged all that is committed here now,
 * we have merged all that they had when asked, and all tables are in step.
 * False if that is not so within the time.
 */
bool
tg_wait_for_sync(long timeout_ms)
{
	return wait_for(timeout_ms, false);
}
