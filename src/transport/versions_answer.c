/*-------------------------------------------------------------------------
 *
 * src/transport/versions_answer.c
 *	  Answers to a peer that repairs a table: which versions are newer, and
 *	  what it gives us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/error.h"
#include "clock/identity.h"
#include "journal/append.h"
#include "journal/cursor.h"
#include "miscadmin.h"
#include "row/gc_floor.h"
#include "row/truncation.h"
#include "transport/alike.h"
#include "transport/gate.h"
#include "transport/member.h"
#include "transport/merge_answer.h"
#include "transport/version.h"
#include "transport/versions_answer.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The answer to a versions request, while it is made. */
typedef struct Answer
{
	const TgVersionsRequest *request;
	TgVector   *vector;			/* what we have merged */
	TgStamp		gc_floor;
	Snapshot	snapshot;
	TgSections	sections;
	TgVersionsAnswer message;
} Answer;

/*
 * The asker comes back after it was given up, and has a row that we have
 * neither as such nor as a tombstone.  If we had it and have collected
 * tombstones as new as it is, it was deleted.  But an asker that has merged
 * all deletions that were ever collected here was only away: it would have
 * deleted the row itself.
 */
static bool
was_deleted(const Answer *answer, const TgKeyVersion *theirs)
{
	if (!answer->request->returning || theirs->kind != TG_VERSION_ROW)
		return false;
	return answer->gc_floor > answer->request->known && theirs->stamp <= answer->gc_floor &&
		(theirs->stamp == TG_NO_STAMP || tg_vector_covers(answer->vector, theirs->stamp));
}

/*
 * Keys that are equal without being the same bytes, with one stamp: the merge
 * lets the greater image win.
 */
static bool
is_spelled_otherwise(const TgVersion *ours, TgBytes key)
{
	StringInfoData bytes;

	if (ours->leaf == NULL || ours->is_waiting || ours->leaf->table->key->image_equal)
		return false;
	initStringInfo(&bytes);
	tg_key_write(ours->leaf->table->key, ours->leaf->found, &bytes);
	return bytes.len != key.len || memcmp(bytes.data, key.data, key.len) != 0;
}

static void
send_deletion(Answer *answer, const TgKeyVersion *theirs, TgVerdict *verdict)
{
	verdict->sent = TG_VERSION_DELETED;
	verdict->stamp = theirs->stamp != TG_NO_STAMP ? theirs->stamp : answer->gc_floor;
	tg_section_add(&answer->sections, TG_CHANGE_DELETE, verdict->stamp, theirs->key);
}

/*
 * A row that stands here beside its newer tombstone goes when the asker sends
 * the deletion back.
 */
static void
judge(Answer *answer, const TgKeyVersion *theirs, TgVerdict *verdict)
{
	TgVersion	ours;
	int			cmp;
	bool		merge_decides = false;

	tg_version_find(answer->sections.target, theirs->key, answer->snapshot, &ours);
	verdict->stamp = ours.stamp;
	cmp = tg_version_compare(ours.kind, ours.stamp, theirs->kind, theirs->stamp);
	if (cmp == 0 && ours.kind == TG_VERSION_ROW)
		merge_decides = is_spelled_otherwise(&ours, theirs->key);

	if (cmp > 0 || merge_decides)
	{
		if (!ours.is_doubtful && tg_version_send(&answer->sections, &ours, theirs->key))
			verdict->sent = ours.kind;
	}
	else if (ours.kind == TG_VERSION_NONE && was_deleted(answer, theirs))
	{
		send_deletion(answer, theirs, verdict);
		return;
	}
	verdict->wanted = cmp < 0 || merge_decides ||
		(ours.kind == TG_VERSION_DELETED && ours.leaf != NULL);
}

static void
compare_truncations(Answer *answer)
{
	TgStamp		ours = tg_truncation_find(answer->request->table);
	TgStamp		theirs = answer->request->truncation;

	if (ours > theirs)
		tg_section_add(&answer->sections, TG_CHANGE_TRUNCATE, ours, tg_bytes(NULL, 0));
	answer->message.wants_truncation = ours < theirs;
}

/*
 * Judge key after key until the answer is full; the first one always finds
 * room.
 */
static void
judge_keys(Answer *answer)
{
	const TgVersionsRequest *request = answer->request;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun version",
												  ALLOCSET_DEFAULT_SIZES);

	for (uint32 i = 0; i < request->nkeys; i++)
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && tg_sections_bytes(&answer->sections) >= request->max_bytes)
			break;
		old = MemoryContextSwitchTo(scratch);
		judge(answer, &request->keys[i], &answer->message.verdicts[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		answer->message.nverdicts++;
	}
	MemoryContextDelete(scratch);
}

static void
require_alike(TgTableId table, uint64 fingerprint, TgNodeId asker)
{
	Relation	rel = tg_open_comparable(table);

	tg_require_alike(rel, fingerprint, asker);
	relation_close(rel, NoLock);
}

/*
 * Answer a versions request, in the current memory context.  Locks the table
 * with ACCESS SHARE.
 */
StringInfo
tg_answer_versions(const TgVersionsRequest *request)
{
	StringInfo	buf = makeStringInfo();
	TgNodeId	node = tg_node_id_required();
	TgAnswerHead head = {
		.sender = tg_speaker_to(&request->asker),
		.complete = true,
		.vector = tg_vector_create()
	};
	Answer		answer = {
		.request = request,
		.vector = tg_own_vector(node),
		.message.sender = node,
		.message.verdicts = palloc0(Max(request->nkeys, 1) * sizeof(TgVerdict))
	};

	require_alike(request->table, request->fingerprint, request->asker.node);
	answer.snapshot = RegisterSnapshot(GetLatestSnapshot());
	answer.gc_floor = tg_gc_floor();	/* after it: has what it misses */
	tg_sections_init(&answer.sections, &head);
	if (!tg_section_begin(&answer.sections, request->table))
		elog(ERROR, "table %d has gone", request->table);
	compare_truncations(&answer);
	judge_keys(&answer);
	tg_section_end(&answer.sections);
	UnregisterSnapshot(answer.snapshot);

	answer.message.answer = tg_bytes_of_buf(tg_sections_finish(&answer.sections, &head));
	tg_wire_write_versions_answer(buf, &answer.message);
	return buf;
}

/*
 * Merge what a peer gives us, in the caller's transaction, which should do
 * nothing else.  Errors out unless every table is one that it could compare.
 */
void
tg_take(TgBytes bytes, TgMergeCounts *counts)
{
	TgAnswer	answer;
	TgMerge		merge;

	tg_answer_read(bytes, &answer);
	tg_gate_check(&answer.head.sender);
	for (uint32 i = 0; i < answer.head.ntables; i++)
		require_alike(answer.sections[i].head.table, answer.sections[i].head.fingerprint,
					  answer.head.sender.node);

	tg_answer_observe(&answer);
	tg_merge_begin(&merge, answer.head.sender.node, NULL);
	merge.source = TG_MERGE_REPAIR;
	merge.doubt = TG_DOUBT_NEVER;
	tg_answer_merge(&answer, &merge);
	tg_merge_end(&merge);
	tg_journal_set_source(answer.head.sender.node, NULL);
	*counts = merge.counts;
}
