/*-------------------------------------------------------------------------
 *
 * src/transport/copy_slice.c
 *	  Copying one range of keys from a peer: a slice of a bulk job.
 *
 * The slice is one transaction: what it merges, and that its range is copied,
 * become true together.  Somebody may pause the table, or begin its copy anew,
 * while a slice runs: then the range it was told to copy is no longer one, and
 * what it has merged does no harm.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "bulk/pool.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "journal/append.h"
#include "row/table.h"
#include "transport/copy_progress.h"
#include "transport/copy_slice.h"
#include "transport/gate.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/merge_answer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define PIECE_TIMEOUT_MS	(10 * 60 * 1000)

/* The connection of this process, kept from slice to slice. */
typedef struct Source
{
	TgLink	   *link;
	MemoryContext context;		/* of the link */
	bool		is_idle;		/* the last slice has read to its end */
} Source;

static void
connect_to(Source *source, TgNodeId peer)
{
	TgMember   *member = tg_member_find(peer);
	MemoryContext old;

	if (member == NULL || !member->is_active)
		ereport(ERROR,
				(errcode(ERRCODE_TG_UNKNOWN_PEER),
				 errmsg("node %d, whose table is being copied, is not a member any more", peer)));
	MemoryContextReset(source->context);
	old = MemoryContextSwitchTo(source->context);
	source->link = tg_link_open(member->dsn, member->name);
	MemoryContextSwitchTo(old);
}

/*
 * The connection for a slice; a new one if an error has left the old one in
 * the middle of something.
 */
static Source *
take_source(TgJob *job, TgNodeId peer)
{
	Source	   *source = job->kept;

	if (source == NULL)
	{
		source = MemoryContextAllocZero(job->context, sizeof(Source));
		source->context = AllocSetContextCreate(job->context, "topgun copy link", ALLOCSET_DEFAULT_SIZES);
		job->kept = source;
	}
	if (!source->is_idle)
		connect_to(source, peer);
	source->is_idle = false;
	return source;
}

/*
 * Is this still the copy that is to be made?
 */
static bool
is_current(const TgCopyParams *params)
{
	TgTableState state;

	return tg_table_state_get(params->table, &state) &&
		state.status == TG_TABLE_COPYING && state.copy_from == params->peer &&
		tg_copy_progress_read(state.copy_after).copy == params->copy;
}

/*
 * Lock the table so that it stays as it is while the slice runs.
 */
static bool
lock_table(TgTableId table)
{
	Oid			relid = tg_table_relid(table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, RowExclusiveLock) : NULL;
	bool		is_it;

	if (rel == NULL)
		return false;
	is_it = tg_table_id(rel) == table;
	relation_close(rel, NoLock);
	return is_it;
}

static void
send_request(Source *source, const TgCopyParams *params, const TgKeyRange *range)
{
	TgRangeRequest request = {
		.asker = tg_speaker_self(),
		.table = params->table,
		.range = *range
	};
	StringInfoData bytes;
	char	   *hex;

	initStringInfo(&bytes);
	tg_wire_write_range(&bytes, &request);
	hex = palloc(2 * bytes.len + 1);
	hex[hex_encode(bytes.data, bytes.len, hex)] = '\0';
	/* without a backslash, which not all settings read in the same way */
	tg_link_copy_begin(source->link,
					   psprintf("COPY (SELECT topgun_internal.copy_range(pg_catalog.decode('%s', 'hex'))) "
								"TO STDOUT (FORMAT binary)", hex));
}

/*
 * Is this what a request for a range is answered with?
 */
static void
require_piece(const TgAnswer *answer, const TgCopyParams *params)
{
	if (answer->head.sender.node == params->peer && answer->head.ntables == 1 &&
		answer->sections[0].head.table == params->table)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TG_PROTOCOL),
			 errmsg("broken piece of table %d from node %d", params->table, answer->head.sender.node)));
}

static void
merge_piece(TgSliceRun *run, TgMerge *merge, TgBytes bytes)
{
	TgAnswer	answer;

	TG_FAILPOINT("copy-piece");
	tg_answer_read(bytes, &answer);
	require_piece(&answer, run->params);
	tg_answer_observe(&answer);
	tg_answer_merge(&answer, merge);
	tg_job_check(run->job, answer.nchanges);
}

static void
merge_pieces(TgSliceRun *run, Source *source, const TgKeyRange *range)
{
	const TgCopyParams *params = run->params;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun piece",
												  ALLOCSET_DEFAULT_SIZES);
	TgMerge		merge;
	TgBytes		piece;

	send_request(source, params, range);
	tg_merge_begin(&merge, params->peer, NULL);
	merge.source = TG_MERGE_COPY;
	merge.doubt = TG_DOUBT_NEVER;
	merge.expects_absent = params->was_empty;
	tg_journal_set_source(params->peer, NULL);
	while (tg_link_copy_next(source->link, PIECE_TIMEOUT_MS, &piece))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		merge_piece(run, &merge, piece);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	tg_merge_end(&merge);
	MemoryContextDelete(context);
}

static void
copy_range(TgSliceRun *run)
{
	const TgCopyParams *params = run->params;
	int			number = params->ranges[run->slice];
	TgKeyRange	range;
	Source	   *source;

	if (!lock_table(params->table) || !is_current(params) ||
		!tg_range_find(params->table, params->copy, number, &range))
		return;
	source = take_source(run->job, params->peer);
	merge_pieces(run, source, &range);
	source->is_idle = true;
	if (is_current(params))
		(void) tg_range_done(params->table, params->copy, number);
	TG_FAILPOINT("copy-range-done");
}

static void
say_where(void *arg)
{
	const TgCopyParams *params = arg;

	errcontext("copy of table %d from node %d", params->table, params->peer);
}

/*
 * Copy one range.
 */
void
tg_copy_slice(TgSliceRun *run)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = say_where,
		.arg = unconstify(void *, run->params)
	};

	error_context_stack = &callback;
	PushActiveSnapshot(GetTransactionSnapshot());
	copy_range(run);
	PopActiveSnapshot();
	error_context_stack = callback.previous;
}
