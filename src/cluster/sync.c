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
#include "clock/identity.h"
#include "cluster/sync.h"
#include "cluster/tables.h"
#include "journal/inflight.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/state.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define POLL_MS			5

/* One member, while we wait for it. */
typedef struct Awaited
{
	TgMember   *member;
	TgLink	   *link;			/* NULL: not connected */
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
	ListCell   *lc;

	*total = list_length(tg_tables_listed());
	*out = *total;
	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);

		if (state->status == TG_TABLE_SYNCED && state->table >= TG_FIRST_USER_TABLE)
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
ask_member(Awaited *awaited, TgNodeId self, SyncState *state)
{
	char		asker[16];
	TgLinkParam param = {asker, 0, false};
	char	   *text;

	if (awaited->link == NULL)
		awaited->link = tg_link_open(awaited->member->dsn, awaited->member->name);
	snprintf(asker, sizeof(asker), "%d", self);
	text = tg_link_ask(awaited->link, "SELECT topgun_internal.sync_state($1)", 1, &param);

	if (text == NULL || sscanf(text, UINT64_FORMAT " " UINT64_FORMAT " %d %d",
							   &state->last_position, &state->merged,
							   &state->tables, &state->tables_out) != 4)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken answer from node \"%s\"", awaited->member->name)));
}

/*
 * Ask a member; a failure to reach it means "not yet".  Nothing is open but
 * the link, which is dropped.
 */
static bool
try_ask(Awaited *awaited, TgNodeId self, SyncState *state)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool answered = true;

	PG_TRY();
	{
		ask_member(awaited, self, state);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_CONNECTION_EXCEPTION &&
			ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_OPERATOR_INTERVENTION &&
			geterrcode() != ERRCODE_TG_NOT_A_NODE)
			PG_RE_THROW();
		if (QueryCancelPending || ProcDiePending)
			PG_RE_THROW();
		FlushErrorState();
		awaited->link = NULL;
		answered = false;
	}
	PG_END_TRY();
	return answered;
}

static bool
is_in_step(Awaited *awaited, TgNodeId self, TgPosition our_last, int our_tables)
{
	SyncState	state;

	if (!try_ask(awaited, self, &state))
		return false;
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

		if (member->is_active && member->node != self)
			peers[(*npeers)++].member = member;
	}
	return peers;
}

/*
 * Wait until every active member has merged all that is committed here now,
 * we have merged all that they had when asked, and all tables are in step.
 * False if that is not so within the time.
 */
bool
tg_wait_for_sync(long timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	TgNodeId	self = tg_node_id_required();
	TgPosition	our_last = last_position();
	int			npeers;
	Awaited    *peers = find_peers(self, &npeers);

	for (int waiting_for = 0;;)
	{
		int			tables;
		int			out;

		count_tables(&tables, &out);
		while (waiting_for < npeers && out == 0 &&
			   is_in_step(&peers[waiting_for], self, our_last, tables))
			waiting_for++;
		if (waiting_for == npeers && out == 0)
			return true;
		if (GetCurrentTimestamp() >= deadline)
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
