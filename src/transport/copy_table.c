/*-------------------------------------------------------------------------
 *
 * src/transport/copy_table.c
 *	  Copying a whole table from a peer by parallel workers.
 *
 * In steps, each of which is noted when it is done:
 *
 *	1. learn where to cut the table; what was truncated goes first;
 *	2. a bulk job copies the ranges, see copy_slice.c;
 *	3. tombstones and quarantined rows, chunk by chunk, see copy.c.
 *
 * Each range and chunk is read with a snapshot of its own.  Whatever changes
 * after the first is in the peer's journal, and is pulled from there; so the
 * peer holds back nothing for the time of the copy, and an interrupted one goes
 * on where it was.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/guc.h"
#include "bulk/pool.h"
#include "bulk/row_scan.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "executor/spi.h"
#include "merge/batch.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "transport/copy_progress.h"
#include "transport/copy_slice.h"
#include "transport/copy_table.h"
#include "transport/cursors.h"
#include "transport/gate.h"
#include "transport/merge_answer.h"
#include "transport/resume.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define BOUNDS_TIMEOUT_MS	(10 * 60 * 1000)

/* A copy that is being made, and how far it is. */
typedef struct Copy
{
	TgLink	   *link;
	const TgMember *peer;
	TgTableId	table;
	TgTableState state;
	TgCopyProgress progress;
} Copy;

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
commit(MemoryContext context)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

static bool
load(Copy *copy)
{
	if (!tg_table_state_get(copy->table, &copy->state) ||
		copy->state.status != TG_TABLE_COPYING || copy->state.copy_from != copy->peer->node)
		return false;
	copy->progress = tg_copy_progress_read(copy->state.copy_after);
	return true;
}

static void
store(Copy *copy)
{
	TgTableState new = copy->state;

	new.copy_after = tg_copy_progress_write(&copy->progress);
	tg_copy_replace_state(&copy->state, &new);
}

/*
 * All is copied from this peer.  The floor is asked for last: what a member
 * has collected while its tables were copied, we have not got either.
 */
static void
leave_peer(Copy *copy)
{
	TgTableState new = copy->state;

	if (copy->progress.is_join)
		tg_floor_adopt(copy->link, copy->peer);
	tg_ranges_forget(copy->table);
	new.reason = NULL;
	tg_copy_go_on(&new, &copy->progress);
	tg_copy_replace_state(&copy->state, &new);
}

static void
ask_bounds(Copy *copy, TgBoundsAnswer *answer)
{
	TgRangeRequest request = {
		.asker = tg_speaker_self(),
		.table = copy->table
	};
	StringInfoData buf;
	TgLinkParam param = {.is_binary = true};
	TgBytes		bytes;
	TgReader	reader;

	initStringInfo(&buf);
	tg_wire_write_range(&buf, &request);
	param.data = buf.data;
	param.len = buf.len;
	tg_link_send(copy->link, "SELECT topgun_internal.copy_bounds($1)", 1, &param);
	bytes = tg_link_receive(copy->link, BOUNDS_TIMEOUT_MS);
	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_wire_read_bounds(&reader, answer) || answer->sender != copy->peer->node)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken bounds of table %d from node \"%s\"", copy->table, copy->peer->name)));
}

static void
merge_truncation(Copy *copy, TgStamp stamp)
{
	TgChange	change = {.kind = TG_CHANGE_TRUNCATE,.stamp = stamp};
	TgMerge		merge;

	if (stamp == TG_NO_STAMP)
		return;
	tg_clock_observe(stamp);
	tg_merge_begin(&merge, copy->peer->node, NULL);
	merge.source = TG_MERGE_COPY;
	tg_merge_changes(&merge, copy->table, &change, 1);
	tg_merge_end(&merge);
}

/*
 * Has the table never had a row, or none since it was truncated?
 */
static bool
is_empty(TgTableId table)
{
	BlockNumber nblocks = 0;
	ListCell   *lc;

	foreach(lc, tg_scan_leaves(tg_table_relid(table)))
	{
		Relation	leaf = relation_open(lfirst_oid(lc), AccessShareLock);

		nblocks += RelationGetNumberOfBlocks(leaf);
		relation_close(leaf, NoLock);
	}
	return nblocks == 0;
}

/*
 * The first step.  False if the table is paused.
 */
static bool
cut_table(Copy *copy)
{
	TgBoundsAnswer answer;
	TgSectionHead head = {.table = copy->table};

	/* what the peer does not replicate yet, it will announce when it does */
	if (tg_ask_fingerprint(copy->link, copy->table) == NULL)
	{
		leave_peer(copy);
		return true;
	}
	ask_bounds(copy, &answer);
	head.fingerprint = answer.fingerprint;
	if (!tg_table_takes(copy->peer->node, &head))
		return false;
	merge_truncation(copy, answer.truncation);
	copy->progress.copy = tg_clock_tick(tg_node_id_required());
	copy->progress.was_empty = is_empty(copy->table);
	tg_ranges_forget(copy->table);
	tg_ranges_put(copy->table, copy->progress.copy, answer.bounds, answer.nbounds);
	store(copy);
	return true;
}

/*
 * All ranges are copied: go on behind the rows, or with the next chunk there.
 */
static void
copy_chunk(Copy *copy)
{
	if (copy->progress.place.after.len == 0)
		tg_copy_skip_rows(&copy->progress.place, TG_NO_STAMP);
	if (tg_copy_chunk(copy->link, copy->peer->node, copy->table, &copy->progress.place))
		store(copy);
	else
		leave_peer(copy);
}

static TgJob *
begin_job(Copy *copy, List *ranges)
{
	Size		bytes = offsetof(TgCopyParams, ranges) + list_length(ranges) * sizeof(int);
	TgCopyParams *params = palloc0(bytes);
	TgJobSpec	spec = {
		.kind = TG_JOB_COPY,
		.relid = tg_table_relid(copy->table),
		.peer = copy->peer->node,
		.nworkers = Min(tg_merge_workers, list_length(ranges)),
		.params = params,
		.params_bytes = bytes
	};
	ListCell   *lc;

	params->table = copy->table;
	params->peer = copy->peer->node;
	params->copy = copy->progress.copy;
	params->was_empty = copy->progress.was_empty;
	foreach(lc, ranges)
		params->ranges[params->nranges++] = lfirst_int(lc);
	return tg_job_begin(&spec);
}

/*
 * Lead a job that copies these ranges.  Waits without a snapshot.
 */
static void
copy_ranges(Copy *copy, List *ranges)
{
	TgJob	   *job;

	StartTransactionCommand();
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	job = begin_job(copy, ranges);
	PG_TRY();
	{
		for (int i = 0; i < list_length(ranges); i++)
			tg_job_add_slice(job);
		tg_job_close(job);
		SPI_commit();
		tg_job_wait(job, tg_copy_slice);
	}
	PG_FINALLY();
	{
		tg_job_end(job);
	}
	PG_END_TRY();
	SPI_finish();
	CommitTransactionCommand();
}

/*
 * Do one step.  False if that is all that can be done for now.
 */
static bool
run_step(Copy *copy)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *ranges = NIL;
	bool		more;

	TG_FAILPOINT("copy-step");
	begin();
	MemoryContextSwitchTo(context);
	more = load(copy);
	if (more && copy->progress.copy == TG_NO_STAMP)
		more = cut_table(copy);
	else if (more)
	{
		if (copy->progress.place.after.len == 0)
			ranges = tg_ranges_left(copy->table, copy->progress.copy);
		if (ranges == NIL)
			copy_chunk(copy);
	}
	commit(context);
	if (ranges == NIL)
		return more;

	copy_ranges(copy, ranges);
	MemoryContextSwitchTo(context);
	begin();
	more = list_length(tg_ranges_left(copy->table, copy->progress.copy)) < list_length(ranges);
	commit(context);
	return more;
}

/*
 * Copy a table from the peer whose turn it is, or what is left of it.  Runs
 * outside of a transaction; no request may be under way on the link.  Returns
 * when the copy from this peer is done, or is no longer to be made.
 */
void
tg_copy_table(TgLink *link, const TgMember *peer, TgTableId table)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun copy",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Copy		copy = {.link = link,.peer = peer,.table = table};

	Assert(!IsTransactionState());

	while (run_step(&copy))
	{
		MemoryContextReset(context);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
