/*-------------------------------------------------------------------------
 *
 * src/transport/repair_round.c
 *	  Comparing all tables with all peers, and repairing them, from time to
 *	  time.
 *
 * A round looks once at each table that is not equal.  What has differed in
 * the round before, too, is suspect, see compare.c, and is repaired.  Leaves
 * that a repair has not made equal are left alone until they change: rows wait
 * in a quarantine, or one of the trees is not what its rows give.  So ours is
 * scrubbed once then, as theirs will be when the peer compares with us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/failpoint.h"
#include "bulk/scrub.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "digest/tree_store.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "transport/compare.h"
#include "transport/difference.h"
#include "transport/gate.h"
#include "transport/peer.h"
#include "transport/repair.h"
#include "transport/repair_round.h"
#include "transport/tree_now.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* What is remembered from round to round of a table and a peer. */
typedef struct MemoryKey
{
	TgTableId	table;
	TgNodeId	peer;
} MemoryKey;

typedef struct Memory
{
	MemoryKey	key;			/* must be first */
	TgLook	   *look;			/* the last one that counts, or NULL */
	TgLook	   *tried;			/* what the last repair was to mend, or NULL */
	bool		is_scrubbed;	/* our tree, since that repair */
	MemoryContext context;		/* of both; NULL: nothing is remembered */
} Memory;

static HTAB *memories = NULL;

/* A table in step, with its root here. */
typedef struct RoundTable
{
	TgTableId	id;
	char	   *name;
	uint64		root;
} RoundTable;

/* One peer's turn in a round. */
typedef struct Turn
{
	const TgMember *peer;
	TgLink	   *link;
	RoundTable *tables;
	int			ntables;
} Turn;

static Memory *
remember(TgTableId table, TgNodeId peer)
{
	MemoryKey	key;
	Memory	   *memory;
	bool		found;

	if (memories == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(MemoryKey),.entrysize = sizeof(Memory),.hcxt = CacheMemoryContext};

		memories = hash_create("topgun looks", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	memset(&key, 0, sizeof(key));
	key.table = table;
	key.peer = peer;
	memory = hash_search(memories, &key, HASH_ENTER, &found);
	if (!found)
	{
		memory->look = NULL;
		memory->tried = NULL;
		memory->is_scrubbed = false;
		memory->context = NULL;
	}
	return memory;
}

static void
forget(TgTableId table, TgNodeId peer)
{
	Memory	   *memory = remember(table, peer);

	if (memory->context != NULL)
		MemoryContextDelete(memory->context);
	(void) hash_search(memories, &memory->key, HASH_REMOVE, NULL);
}

static TgLook *
copy_look(const TgLook *look)
{
	TgLook	   *copy = palloc(sizeof(TgLook));
	Size		bytes = look->ndifferences * sizeof(TgLeafDifference);

	*copy = *look;
	copy->differences = palloc(Max(bytes, 1));
	memcpy(copy->differences, look->differences, bytes);
	return copy;
}

/*
 * Keep looks, either of which may be NULL, in place of what was remembered.
 */
static void
replace_looks(Memory *memory, const TgLook *look, const TgLook *tried)
{
	MemoryContext context = AllocSetContextCreate(CacheMemoryContext, "topgun look",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgLook	   *look_copy = look ? copy_look(look) : NULL;
	TgLook	   *tried_copy = tried ? copy_look(tried) : NULL;

	MemoryContextSwitchTo(old);
	if (memory->context != NULL)
		MemoryContextDelete(memory->context);
	memory->context = context;
	memory->look = look_copy;
	memory->tried = tried_copy;
}

/*
 * Read the tables that are in step here, and their roots as of now.
 */
static void
read_tables(Turn *turn)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *states;
	Snapshot	snapshot;
	ListCell   *lc;

	StartTransactionCommand();
	tg_fold_now();
	states = tg_table_states();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	MemoryContextSwitchTo(context);
	turn->ntables = 0;
	turn->tables = palloc((list_length(states) + 1) * sizeof(RoundTable));
	foreach(lc, states)
	{
		TgTableState *state = lfirst(lc);
		RoundTable *table = &turn->tables[turn->ntables];
		char	   *name = get_rel_name(state->relid);
		TgTreeHead	head;

		if (state->status != TG_TABLE_SYNCED || name == NULL)
			continue;
		tg_tree_load_head(state->table, snapshot, &head);
		table->id = state->table;
		table->name = name;
		table->root = head.root;
		turn->ntables++;
	}
	UnregisterSnapshot(snapshot);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

static void
log_repair(const Turn *turn, const RoundTable *table, const TgRepairCounts *counts)
{
	bool		has_changed = counts->applied_here + counts->applied_there + counts->quarantined > 0;

	ereport(has_changed ? LOG : DEBUG1,
			(errmsg("repaired table \"%s\" with node \"%s\"", table->name, turn->peer->name),
			 errdetail("%lld of %lld keys differed; rows fetched: %lld, pushed: %lld, deleted here: %lld, deleted there: %lld.",
					   (long long) counts->differing, (long long) counts->compared,
					   (long long) counts->fetched, (long long) counts->pushed,
					   (long long) counts->deleted_here, (long long) counts->deleted_there)));
}

/*
 * The leaves that are to be mended: not those where the last repair has not
 * changed anything.
 */
static bool
choose_leaves(const Memory *memory, const TgLook *suspects, TgLeafSet *leaves)
{
	TgLook	   *tried;
	TgLeafSet  *skipped = palloc0(sizeof(TgLeafSet));
	bool		found = false;

	if (memory->tried != NULL)
	{
		tried = tg_look_suspects(memory->tried, suspects);
		tg_look_leaves(tried, skipped);
	}
	memset(leaves, 0, sizeof(*leaves));
	for (int i = 0; i < suspects->ndifferences; i++)
	{
		if (tg_leaf_set_has(skipped, suspects->differences[i].leaf))
			continue;
		tg_leaf_set_add(leaves, suspects->differences[i].leaf);
		found = true;
	}
	return found;
}

static void
mend(Turn *turn, const RoundTable *table, const TgLeafSet *leaves)
{
	TgRepair	repair = {
		.link = turn->link,
		.peer = turn->peer,
		.table = table->id,
		.leaves = leaves
	};

	TG_FAILPOINT("repair-round");
	tg_repair(&repair);
	tg_difference_repaired(table->id, turn->peer->node,
						   repair.counts.applied_here + repair.counts.applied_there,
						   repair.counts.bytes);
	log_repair(turn, table, &repair.counts);
}

static void
scrub(const RoundTable *table)
{
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	tg_scrub_table(table->id);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/*
 * A table that is not the same there: look at it, and see what was not the
 * same at the last look, either.
 */
static void
look_at_table(Turn *turn, const RoundTable *table)
{
	Memory	   *memory = remember(table->id, turn->peer->node);
	TgLook	   *look = tg_look(turn->link, turn->peer, table->id);
	TgLook	   *suspects;
	TgLeafSet  *leaves = palloc(sizeof(TgLeafSet));
	bool		is_to_mend;

	tg_difference_repaired(table->id, turn->peer->node, 0, look->bytes);
	if (memory->look == NULL)
	{
		replace_looks(memory, look, NULL);
		return;
	}
	if (!tg_look_is_settled(memory->look, look))
		return;
	suspects = tg_look_suspects(memory->look, look);
	tg_difference_compared(table->id, turn->peer->node, look->their_root, suspects->ndifferences);
	is_to_mend = choose_leaves(memory, suspects, leaves);
	replace_looks(memory, look, is_to_mend ? memory->tried : suspects);
	if (is_to_mend)
	{
		memory->is_scrubbed = false;
		mend(turn, table, leaves);
		replace_looks(memory, look, suspects);	/* not tried if it has failed */
	}
	else if (suspects->ndifferences > 0 && !memory->is_scrubbed)
	{
		memory->is_scrubbed = true;
		scrub(table);
	}
}

static void
compare_roots(Turn *turn, TgTreeAnswer *answer)
{
	TgTreeRequest request = {
		.asker = tg_speaker_self(),
		.kind = TG_SCAN_STAMPS,
		.nquestions = turn->ntables,
		.questions = palloc0((turn->ntables + 1) * sizeof(TgTreeQuestion))
	};

	for (int i = 0; i < turn->ntables; i++)
	{
		request.questions[i].table = turn->tables[i].id;
		request.questions[i].root = turn->tables[i].root;
	}
	(void) tg_tree_ask(turn->link, turn->peer, &request, answer);
}

/*
 * Compare all tables with one peer: all roots in one round trip, then each
 * table whose roots differ.
 */
static void
take_turn(const TgMember *peer)
{
	Turn		turn = {.peer = peer};
	TgTreeAnswer answer;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun compared table",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;

	turn.link = tg_link_open(peer->dsn, peer->name);
	read_tables(&turn);
	compare_roots(&turn, &answer);
	old = MemoryContextSwitchTo(scratch);
	for (int i = 0; i < turn.ntables; i++)
	{
		const RoundTable *table = &turn.tables[i];
		const TgTreePart *part = &answer.parts[i];

		CHECK_FOR_INTERRUPTS();
		if (part->status != TG_TABLE_SYNCED)
			forget(table->id, peer->node);
		else if (part->root == table->root)
		{
			forget(table->id, peer->node);
			tg_difference_compared(table->id, peer->node, part->root, 0);
		}
		else
			look_at_table(&turn, table);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	tg_link_close(turn.link);
}

static void
name_peer(void *arg)
{
	errcontext("comparing with node \"%s\"", ((const TgMember *) arg)->name);
}

/*
 * See that the other peers have their turn if one of them fails; an error is
 * reported, and the transaction that it came from left, as in a worker's loop.
 */
static void
try_turn(const TgMember *peer, MemoryContext context)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = name_peer,
		.arg = unconstify(TgMember *, peer)
	};

	error_context_stack = &callback;
	PG_TRY();
	{
		take_turn(peer);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		QueryCancelPending = false;
		EmitErrorReport();
		AbortOutOfAnyTransaction();
		FlushErrorState();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
	pgstat_report_stat(false);
}

/*
 * The peers that can be asked, in the current memory context.
 */
static List *
find_peers(void)
{
	TgNodeId	self = tg_node_id();
	List	   *peers = NIL;
	ListCell   *lc;

	foreach(lc, self != 0 ? tg_members() : NIL)
	{
		TgMember   *member = lfirst(lc);
		TgPeer		known;

		if (member->is_active && member->node != self &&
			tg_peer_get(member->node, &known) && known.state == TG_PEER_STREAMING)
			peers = lappend(peers, member);
	}
	return peers;
}

/*
 * One round; false, since the next one has time.  What it finds is in
 * topgun.stat_repair.
 */
bool
tg_repair_round(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *peers = find_peers();
	MemoryContext turn = AllocSetContextCreate(caller, "topgun turn", ALLOCSET_DEFAULT_SIZES);
	ListCell   *lc;

	PopActiveSnapshot();
	CommitTransactionCommand();

	MemoryContextSwitchTo(turn);
	foreach(lc, peers)
		try_turn(lfirst(lc), turn);

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(caller);
	return false;
}
