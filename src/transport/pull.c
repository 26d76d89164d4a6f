/*-------------------------------------------------------------------------
 *
 * src/transport/pull.c
 *	  Pulling a peer's journal: the asking end.
 *
 * One round: ask (the peer answers when there is something), merge the answer
 * and move the cursor and the vector, all in one transaction, ask again.  The
 * transaction commits asynchronously, so that its rows are visible at once;
 * what we tell the peer of durability is what has been flushed since.  If the
 * peer says that somebody waits to hear it, we flush before we ask again.
 *
 * An answer without changes still moves the cursor, in memory; it is stored
 * now and then, since reading that much again costs little.
 *
 * Far behind, answers are merged by workers, each answer as a whole before the
 * cursor moves; meanwhile the next one is asked for, and comes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/failpoint.h"
#include "base/error.h"
#include "base/guc.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "journal/append.h"
#include "transport/gate.h"
#include "transport/merge_answer.h"
#include "transport/peer.h"
#include "transport/pull.h"
#include "transport/settled.h"
#include "transport/state.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define ANSWER_BYTES		(8 * 1024 * 1024)
#define ANSWER_TIMEOUT_MS	(10 * 60 * 1000)	/* for a large backlog */
#define SAVE_EMPTY_MS		10000	/* store a cursor that moved without
									 * changes */
#define SETTLED_MS			500 /* how often to look what is settled here */

/*
 * Prepare to pull from a peer over an open link.  Needs a transaction.
 */
void
tg_pull_start(TgPull *pull, TgNodeId peer, TgLink *link, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	TgPeer		known;

	memset(pull, 0, sizeof(*pull));
	pull->node = tg_node_id_required();
	pull->peer = peer;
	pull->link = link;
	pull->context = context;
	tg_peer_cursor_load(peer, &pull->at);
	pull->flushed = tg_cursor_after(0);
	pull->pending = pull->at.cursor;
	pull->pending_lsn = GetXLogInsertRecPtr();
	pull->saved_at = GetCurrentTimestamp();
	pull->give_back = !(tg_peer_get(peer, &known) && known.gave_back);

	tg_link_prepare(link, "wait", "CALL topgun_internal.wait_for_changes($1, $2)");
	tg_link_prepare(link, "pull", "SELECT topgun_internal.pull($1)");
	MemoryContextSwitchTo(old);
}

static void
take_flushed(TgPull *pull)
{
	if (pull->pending_lsn != 0 && pull->pending_lsn <= GetFlushRecPtr(NULL))
	{
		pull->flushed = pull->pending;
		pull->in_step = pull->pending_in_step;
		pull->pending_lsn = 0;
	}
}

/*
 * See what is settled here.  It is computed from what is visible, and told
 * only once all that was visible then is flushed.
 */
static void
take_settled(TgPull *pull)
{
	TimestampTz now = GetCurrentTimestamp();

	if (pull->settled_lsn != 0 && pull->settled_lsn <= GetFlushRecPtr(NULL))
	{
		pull->settled = pull->next_settled;
		pull->settled_lsn = 0;
	}
	if (pull->settled_lsn != 0 || !TimestampDifferenceExceeds(pull->settled_at, now, SETTLED_MS))
		return;

	pull->settled_at = now;
	pull->next_settled = tg_settled_here(pull->node);
	if (pull->next_settled == TG_NO_STAMP)
		pull->settled = TG_NO_STAMP;	/* to claim less needs no flush */
	else
		pull->settled_lsn = GetXLogInsertRecPtr();
}

/*
 * Where the answer begins that has not been asked for.
 */
static TgCursor
asked_so_far(TgPull *pull)
{
	return pull->merging != NULL ? pull->merging->to.cursor : pull->at.cursor;
}

/*
 * Ask, and let the peer wait up to wait_ms for something to answer.  The
 * request goes with the call that waits, too: what it acknowledges must not
 * wait.  Needs a transaction; the answer may be received in another.
 */
void
tg_pull_send(TgPull *pull, int wait_ms)
{
	TgPullRequest request = {
		.asker = tg_speaker_self(),
		.cursor = asked_so_far(pull),
		.give_back = pull->give_back,
		.max_bytes = ANSWER_BYTES
	};
	StringInfoData buf;
	char		wait[16];
	TgLinkParam params[] = {{NULL, 0, true}, {wait, 0, false}};

	take_flushed(pull);
	take_settled(pull);
	request.flushed = pull->flushed;
	request.in_step = pull->in_step;
	request.settled = pull->settled;
	request.vector = tg_own_vector(pull->node);

	initStringInfo(&buf);
	tg_wire_write_pull(&buf, &request);
	params[0].data = buf.data;
	params[0].len = buf.len;

	snprintf(wait, sizeof(wait), "%d", request.cursor.position == 0 ? 0 : wait_ms);
	tg_link_execute(pull->link, "wait", 2, params);
	tg_link_execute(pull->link, "pull", 1, params);
	pfree(buf.data);
}

static void
merge_in(const TgAnswer *answer, TgPull *pull, const TgPeerCursor *to, TgMergeCounts *counts)
{
	TgMerge		merge;

	tg_answer_observe(answer);
	tg_merge_begin(&merge, pull->peer, to->vector);
	tg_answer_merge(answer, &merge);
	tg_merge_end(&merge);
	tg_counts_add(counts, &merge.counts);
}

/*
 * Merge the changes, if workers have not done it, and store how far we are, in
 * one transaction.  It commits asynchronously if the caller has set that, and
 * is flushed if somebody at the peer waits for it.
 */
static void
merge_answer(TgPull *pull, const TgAnswerHead *head, const TgAnswer *answer, TgPeerCursor *to,
			 TgMergeCounts *counts, Size bytes)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		in_step;

	StartTransactionCommand();
	if (answer != NULL)
		merge_in(answer, pull, to, counts);
	in_step = tg_tables_in_step();
	if (!in_step)
		to->vector = pull->at.vector;	/* claim nothing that was left */
	tg_journal_set_source(pull->peer, to->vector);
	TG_FAILPOINT("pull-before-cursor");
	tg_peer_cursor_save(to);
	TG_FAILPOINT("pull-before-commit");
	tg_gate_require_current(&head->sender);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	TG_FAILPOINT("pull-after-commit");

	tg_peer_add_counts(pull->peer, counts, bytes);
	pull->saved_at = GetCurrentTimestamp();
	if (head->acknowledge)
		XLogFlush(XactLastCommitEnd);
	if (pull->pending_lsn == 0 || head->acknowledge)
	{
		pull->pending = to->cursor;
		pull->pending_in_step = in_step;
		pull->pending_lsn = XactLastCommitEnd;
	}
}

static void
move_to(TgPull *pull, const TgPeerCursor *to)
{
	MemoryContext old = MemoryContextSwitchTo(pull->context);
	TgVector   *vector = tg_vector_copy(to->vector);

	tg_vector_free(pull->at.vector);
	pull->at.cursor = to->cursor;
	pull->at.vector = vector;
	MemoryContextSwitchTo(old);
}

/*
 * Does somebody at the peer wait for more than we could tell it now?
 */
static bool
must_acknowledge(const TgPull *pull, const TgAnswer *answer)
{
	return answer->head.acknowledge &&
		!(pull->in_step && tg_cursor_has(pull->flushed, answer->head.cursor.position));
}

static bool
must_save(const TgPull *pull, const TgAnswer *answer)
{
	return answer->nchanges > 0 || must_acknowledge(pull, answer) ||
		TimestampDifferenceExceeds(pull->saved_at, GetCurrentTimestamp(), SAVE_EMPTY_MS);
}

/*
 * Does the answer change the cluster's metadata?
 */
static bool
has_metadata(const TgAnswer *answer)
{
	return answer->head.ntables > 0 &&
		answer->sections[0].head.table < TG_FIRST_USER_TABLE;
}

/*
 * All up to this cursor is merged.
 */
static void
arrive(TgPull *pull, const TgPeerCursor *to, TgPosition last_position, bool complete)
{
	move_to(pull, to);
	tg_peer_set_merged(pull->peer, to->cursor, last_position, pull->give_back && complete);
	if (complete)
		pull->give_back = false;
}

/*
 * Have workers merge an answer, if it is worth that: as long as there is more
 * to come.
 */
static bool
start_merging(TgPull *pull, const TgAnswer *answer, const TgPeerCursor *to, TgBytes bytes)
{
	MemoryContext caller = CurrentMemoryContext;
	TgPulled   *pulled;

	if (tg_merge_workers == 0 || !tg_crew_suits(answer) ||
		(pull->crew == NULL && answer->head.complete) ||
		(pull->crew != NULL && !tg_crew_has_room(pull->crew, answer)))
		return false;

	StartTransactionCommand();
	tg_answer_observe(answer);
	if (pull->crew == NULL)
		pull->crew = tg_crew_begin(pull->peer, tg_merge_workers, pull->context);
	tg_crew_start(pull->crew, answer, to->vector);
	CommitTransactionCommand();

	MemoryContextSwitchTo(AllocSetContextCreate(pull->context, "topgun pulled", ALLOCSET_DEFAULT_SIZES));
	pulled = palloc0(sizeof(TgPulled));
	pulled->context = CurrentMemoryContext;
	pulled->bytes = tg_bytes(memcpy(palloc_extended(bytes.len, MCXT_ALLOC_HUGE), bytes.data, bytes.len),
							 bytes.len);
	pulled->head = answer->head;
	pulled->head.vector = NULL;
	pulled->to = *to;
	pulled->to.vector = tg_vector_copy(to->vector);
	pull->merging = pulled;
	MemoryContextSwitchTo(caller);
	return true;
}

/*
 * Wait for the workers, and store how far we are.
 */
static void
finish_merging(TgPull *pull)
{
	TgPulled   *pulled = pull->merging;
	TgMergeCounts counts = {0};
	MemoryContext caller = CurrentMemoryContext;
	TgAnswer	answer;

	if (pulled == NULL)
		return;
	MemoryContextSwitchTo(pulled->context);
	if (tg_crew_finish(pull->crew, &counts))
		merge_answer(pull, &pulled->head, NULL, &pulled->to, &counts, pulled->bytes.len);
	else
	{
		tg_answer_read(pulled->bytes, &answer);
		merge_answer(pull, &pulled->head, &answer, &pulled->to, &counts, pulled->bytes.len);
	}
	pull->merging = NULL;
	arrive(pull, &pulled->to, pulled->head.last_position, pulled->head.complete);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(pulled->context);
}

static void
end_crew(TgPull *pull)
{
	finish_merging(pull);
	if (pull->crew != NULL)
		tg_crew_end(pull->crew);
	pull->crew = NULL;
}

/*
 * Merge an answer, or have it merged.
 */
static void
take_answer(TgPull *pull, const TgAnswer *answer, TgBytes bytes)
{
	TgPeerCursor to = {.peer = pull->peer,.cursor = answer->head.cursor};
	TgMergeCounts counts = {0};

	finish_merging(pull);
	to.vector = tg_vector_copy(pull->at.vector);
	(void) tg_vector_merge(to.vector, answer->head.vector);

	if (must_save(pull, answer) && start_merging(pull, answer, &to, bytes))
	{
		if (answer->head.complete)
			end_crew(pull);
		return;
	}
	end_crew(pull);
	if (must_save(pull, answer))
		merge_answer(pull, &answer->head, answer, &to, &counts, bytes.len);
	arrive(pull, &to, answer->head.last_position, answer->head.complete);
}

/*
 * Receive the answer to tg_pull_send() and merge it.  Runs outside of a
 * transaction; waits without one.  True if members or tables have changed.
 */
bool
tg_pull_receive(TgPull *pull, int wait_ms)
{
	TgBytes		bytes;
	TgAnswer	answer;

	Assert(!IsTransactionState());

	(void) tg_link_receive(pull->link, wait_ms + tg_connect_timeout_ms);
	bytes = tg_link_receive(pull->link, ANSWER_TIMEOUT_MS);
	tg_answer_read(bytes, &answer);
	if (answer.head.sender.node != pull->peer)
		ereport(ERROR,
				(errcode(ERRCODE_TG_UNKNOWN_PEER),
				 errmsg("node %d answers where node %d should", answer.head.sender.node, pull->peer),
				 errhint("See the connection strings in topgun.node.")));

	take_answer(pull, &answer, bytes);
	pull->behind = !answer.head.complete;
	return has_metadata(&answer);
}
