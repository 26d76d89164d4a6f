/*-------------------------------------------------------------------------
 *
 * src/transport/repair.c
 *	  Making the rows of chosen leaves the same here and at a peer.
 *
 * First both sides' keys and stamps are compared, and those that differ are
 * listed.  Then, batch by batch: the peer is told our version of each key, and
 * answers with its own where that is newer, and with what it wants of us.
 * Versions travel as in a pull, and both sides merge them as ever, so stamps
 * are kept and whatever is written meanwhile wins if it is newer.
 *
 * A key that one side lacks without a tombstone is damage: the other's row is
 * sent.  But if we return it may be the other that has what was long deleted:
 * then we take such a row as one that comes late.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "journal/append.h"
#include "merge/batch.h"
#include "miscadmin.h"
#include "row/truncation.h"
#include "transport/alike.h"
#include "transport/gate.h"
#include "transport/key_list.h"
#include "transport/merge_answer.h"
#include "transport/repair.h"
#include "transport/version.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define BATCH_KEYS			10000
#define BATCH_BYTES			(4 * 1024 * 1024)	/* of keys */
#define ANSWER_BYTES		(8 * 1024 * 1024)
#define ANSWER_TIMEOUT_MS	(10 * 60 * 1000)

/* One exchange of versions, of all that is left of a batch. */
typedef struct Exchange
{
	uint64		fingerprint;
	TgStamp		truncation;
	TgKeyVersion *ours;
	int			nkeys;
	bool	   *is_leftover;	/* our row stands beside its newer tombstone */
	TgVersionsAnswer answer;
	TgVersionKind *pushed;
} Exchange;

/* A repair under way. */
typedef struct Run
{
	TgRepair   *repair;
	bool		commits;		/* there is no transaction but ours */
	TgKeyList  *list;
	MemoryContext batch;		/* keys of one batch */
	MemoryContext exchange;
	MemoryContext gift;			/* one message for the peer to take */
} Run;

static void
begin(Run *run)
{
	MemoryContext old = CurrentMemoryContext;

	if (!run->commits)
		return;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(old);
}

static void
commit(Run *run)
{
	MemoryContext old = CurrentMemoryContext;

	if (!run->commits)
		return;
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(old);
}

/*
 * List the keys that differ.  Without leaves there is no list.
 */
static void
collect(Run *run)
{
	TgRepair   *repair = run->repair;
	Relation	rel;
	TgKeyJoin  *join;
	TgKeyPair	pair;

	begin(run);
	run->list = tg_key_list_create(run->commits);
	rel = tg_open_comparable(repair->table);
	join = tg_key_join_open(repair->link, repair->peer, rel, TG_SCAN_STAMPS, repair->leaves);
	while (tg_key_join_next(join, &pair))
	{
		tg_key_list_add(run->list, &pair);
		repair->counts.differing++;
	}
	repair->counts.compared += tg_key_join_compared(join);
	repair->counts.bytes += tg_key_join_bytes(join);
	tg_key_join_close(join);
	relation_close(rel, NoLock);
	commit(run);
}

static int
compare_keys(const void *left, const void *right)
{
	const TgKeyVersion *a = left;
	const TgKeyVersion *b = right;
	int			cmp = memcmp(a->key.data, b->key.data, Min(a->key.len, b->key.len));

	return cmp != 0 ? cmp : (int) a->key.len - (int) b->key.len;
}

/*
 * Read the keys of the next batch, in the order in which merges take them;
 * their number.
 */
static int
read_batch(Run *run, TgKeyVersion *keys)
{
	MemoryContext old = MemoryContextSwitchTo(run->batch);
	TgKeyPair	pair;
	Size		bytes = 0;
	int			n = 0;

	while (n < BATCH_KEYS && bytes < BATCH_BYTES && tg_key_list_next(run->list, &pair))
	{
		char	   *copy = palloc(pair.key.len);

		memcpy(copy, pair.key.data, pair.key.len);
		keys[n++].key = tg_bytes(copy, pair.key.len);
		bytes += pair.key.len;
	}
	MemoryContextSwitchTo(old);
	qsort(keys, n, sizeof(TgKeyVersion), compare_keys);
	return n;
}

/*
 * Look up what we have of each key now.
 */
static void
find_ours(Run *run, Exchange *exchange)
{
	Relation	rel = tg_open_comparable(run->repair->table);
	TgTarget   *target = tg_target_open(rel);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	exchange->fingerprint = target->table->fingerprint;
	exchange->truncation = tg_truncation_find(run->repair->table);
	exchange->is_leftover = palloc0(Max(exchange->nkeys, 1) * sizeof(bool));
	for (int i = 0; i < exchange->nkeys; i++)
	{
		TgKeyVersion *ours = &exchange->ours[i];
		TgVersion	version;

		CHECK_FOR_INTERRUPTS();
		tg_version_find(target, ours->key, snapshot, &version);
		ours->kind = version.kind;
		ours->stamp = version.stamp;
		exchange->is_leftover[i] = version.kind == TG_VERSION_DELETED &&
			!version.is_waiting && version.leaf != NULL;
	}
	UnregisterSnapshot(snapshot);
	tg_target_close(target);
	relation_close(rel, NoLock);
}

static void
refuse_answer(Run *run)
{
	ereport(ERROR,
			(errcode(ERRCODE_TG_PROTOCOL),
			 errmsg("broken answer from node \"%s\"", run->repair->peer->name),
			 errhint("The nodes may run different versions of topgun.")));
}

/*
 * Ask for the versions that are newer.  The answer lies in the link until its
 * next use, but for the verdicts.
 */
static void
ask_versions(Run *run, Exchange *exchange)
{
	TgRepair   *repair = run->repair;
	TgVersionsRequest request = {
		.asker = tg_speaker_self(),
		.table = repair->table,
		.fingerprint = exchange->fingerprint,
		.returning = repair->returning,
		.known = repair->known,
		.truncation = exchange->truncation,
		.max_bytes = ANSWER_BYTES,
		.nkeys = exchange->nkeys,
		.keys = exchange->ours
	};
	TgLinkParam param = {.is_binary = true};
	StringInfoData buf;
	TgBytes		bytes;
	TgReader	reader;

	initStringInfo(&buf);
	tg_wire_write_versions(&buf, &request);
	param.data = buf.data;
	param.len = buf.len;
	tg_link_send(repair->link, "SELECT topgun_internal.versions($1)", 1, &param);
	bytes = tg_link_receive(repair->link, ANSWER_TIMEOUT_MS);
	repair->counts.bytes += (int64) buf.len + bytes.len;

	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_wire_read_versions_answer(&reader, &exchange->answer) ||
		exchange->answer.sender != repair->peer->node ||
		exchange->answer.nverdicts > exchange->nkeys ||
		(exchange->answer.nverdicts == 0 && exchange->nkeys > 0))
		refuse_answer(run);
}

/*
 * A row that stands in the table beside its newer tombstone: whoever has put
 * it there, it goes.
 */
static void
delete_leftovers(Exchange *exchange, TgMerge *merge, TgTableId table)
{
	for (uint32 i = 0; i < exchange->answer.nverdicts; i++)
	{
		TgChange	deletion = {
			.kind = TG_CHANGE_DELETE,
			.stamp = exchange->ours[i].stamp,
			.payload = exchange->ours[i].key
		};

		if (exchange->is_leftover[i])
			tg_merge_changes(merge, table, &deletion, 1);
	}
}

/*
 * Merge what is newer there, and what our own tombstones ask for.
 */
static void
merge_theirs(Run *run, Exchange *exchange)
{
	TgRepair   *repair = run->repair;
	TgAnswer	answer;
	TgMerge		merge;

	tg_answer_read(exchange->answer.answer, &answer);
	if (answer.head.sender.node != repair->peer->node)
		refuse_answer(run);
	tg_answer_observe(&answer);
	tg_merge_begin(&merge, repair->peer->node, NULL);
	merge.source = TG_MERGE_REPAIR;
	merge.doubt = repair->returning ? TG_DOUBT_UNLESS_COVERED : TG_DOUBT_NEVER;
	tg_answer_merge(&answer, &merge);
	delete_leftovers(exchange, &merge, repair->table);
	tg_merge_end(&merge);
	if (run->commits)
		tg_journal_set_source(repair->peer->node, NULL);
	repair->counts.applied_here += merge.counts.applied;
	repair->counts.quarantined += merge.counts.quarantined;
}

static bool
begin_gift(Run *run, TgSections *sections, TgAnswerHead *head)
{
	*head = (TgAnswerHead)
	{
		.sender = tg_speaker_self(),
			.complete = true,
			.vector = tg_vector_create()
	};
	tg_sections_init(sections, head);
	return tg_section_begin(sections, run->repair->table);
}

/*
 * Add our newest version of a key to what the peer shall take.
 */
static void
add_to_gift(TgSections *sections, TgBytes key, Snapshot snapshot, TgVersionKind *pushed)
{
	TgVersion	version;

	tg_version_find(sections->target, key, snapshot, &version);
	if (!version.is_doubtful && tg_version_send(sections, &version, key))
		*pushed = version.kind;
}

/*
 * Put together what the peer wants of us, from the key at *next on, in one
 * message of limited size.  NULL if that is nothing.  *next is moved to where
 * the next message begins.
 */
static StringInfo
collect_gift(Run *run, Exchange *exchange, uint32 *next)
{
	const TgVersionsAnswer *answer = &exchange->answer;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TgAnswerHead head;
	TgSections	sections;
	StringInfo	message;

	if (!begin_gift(run, &sections, &head))
		elog(ERROR, "table %d has gone", run->repair->table);
	if (*next == 0 && answer->wants_truncation)
		tg_section_add(&sections, TG_CHANGE_TRUNCATE, exchange->truncation, tg_bytes(NULL, 0));
	while (*next < answer->nverdicts && tg_sections_bytes(&sections) < ANSWER_BYTES)
	{
		uint32		i = (*next)++;

		CHECK_FOR_INTERRUPTS();
		if (answer->verdicts[i].wanted)
			add_to_gift(&sections, exchange->ours[i].key, snapshot, &exchange->pushed[i]);
	}
	tg_section_end(&sections);
	UnregisterSnapshot(snapshot);
	message = tg_sections_finish(&sections, &head);
	return sections.ntables > 0 ? message : NULL;
}

static void
give(Run *run, StringInfo gift)
{
	TgRepair   *repair = run->repair;
	TgLinkParam param = {gift->data, gift->len, true};
	TgBytes		bytes;
	char	   *text;
	int64		applied;
	int64		quarantined;

	tg_link_send(repair->link, "SELECT topgun_internal.take($1)", 1, &param);
	bytes = tg_link_receive(repair->link, ANSWER_TIMEOUT_MS);
	text = pnstrdup(bytes.data ? bytes.data : "", bytes.len);

	if (sscanf(text, INT64_FORMAT " " INT64_FORMAT, &applied, &quarantined) != 2)
		refuse_answer(run);
	repair->counts.applied_there += applied;
	repair->counts.quarantined += quarantined;
	repair->counts.bytes += (int64) gift->len + bytes.len;
}

/*
 * Give the peer what it wants of us, message after message, so that no more
 * than one of them is held in memory.
 */
static void
give_wanted(Run *run, Exchange *exchange)
{
	MemoryContext old = CurrentMemoryContext;
	uint32		next = 0;

	exchange->pushed = palloc0(Max(exchange->nkeys, 1) * sizeof(TgVersionKind));
	do
	{
		StringInfo	gift;

		MemoryContextSwitchTo(run->gift);
		begin(run);
		gift = collect_gift(run, exchange, &next);
		commit(run);
		TG_FAILPOINT("repair-before-take");
		if (gift != NULL && !run->repair->dry_run)
			give(run, gift);
		MemoryContextSwitchTo(old);
		MemoryContextReset(run->gift);
	} while (next < exchange->answer.nverdicts);
}

static void
report_key(Run *run, const Exchange *exchange, int i)
{
	TgRepair   *repair = run->repair;
	const TgVerdict *verdict = &exchange->answer.verdicts[i];
	TgRepairedKey key = {
		.key = exchange->ours[i].key,
		.our_stamp = exchange->ours[i].stamp,
		.their_stamp = verdict->stamp,
		.sent_here = verdict->sent,
		.sent_there = exchange->pushed[i]
	};

	if (key.sent_here == TG_VERSION_NONE && exchange->is_leftover[i])
		key.sent_here = TG_VERSION_DELETED;
	repair->counts.fetched += key.sent_here == TG_VERSION_ROW;
	repair->counts.deleted_here += key.sent_here == TG_VERSION_DELETED;
	repair->counts.pushed += key.sent_there == TG_VERSION_ROW;
	repair->counts.deleted_there += key.sent_there == TG_VERSION_DELETED;
	if (repair->report != NULL)
		repair->report(repair->report_arg, &key);
}

/*
 * Exchange the versions of as many keys as one answer has room for; how many
 * these were.  What the peer takes, it has to take even if it has been sent
 * before we commit: it is ours to give.
 */
static int
exchange_versions(Run *run, TgKeyVersion *keys, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(run->exchange);
	Exchange	exchange = {.ours = keys,.nkeys = nkeys};
	int			done;

	begin(run);
	find_ours(run, &exchange);
	ask_versions(run, &exchange);
	TG_FAILPOINT("repair-has-versions");
	if (!run->repair->dry_run)
		merge_theirs(run, &exchange);
	commit(run);

	give_wanted(run, &exchange);
	done = exchange.answer.nverdicts;
	for (int i = 0; i < done; i++)
		report_key(run, &exchange, i);
	MemoryContextSwitchTo(old);
	MemoryContextReset(run->exchange);
	return done;
}

/*
 * Without keys both sides learn of each other's truncation all the same.
 */
static void
exchange_batches(Run *run)
{
	TgKeyVersion *keys = palloc(BATCH_KEYS * sizeof(TgKeyVersion));
	int			n;

	if (run->list == NULL)
	{
		(void) exchange_versions(run, keys, 0);
		return;
	}
	while ((n = read_batch(run, keys)) > 0)
	{
		for (int done = 0; done < n;)
			done += exchange_versions(run, keys + done, n - done);
		MemoryContextReset(run->batch);
	}
}

static bool
is_any(const TgLeafSet *leaves)
{
	for (int i = 0; i < lengthof(leaves->words); i++)
		if (leaves->words[i] != 0)
			return true;
	return false;
}

/*
 * Make the rows of the leaves the same here and there.  In a transaction, all
 * that is done here is done in it; outside of one, each batch is a transaction
 * of its own.  What the peer takes is committed there at once.  Errors out if
 * either side cannot compare the table, or the peer cannot be reached.
 */
void
tg_repair(TgRepair *repair)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun repair",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Run			run = {
		.repair = repair,
		.commits = !IsTransactionState(),
		.batch = AllocSetContextCreate(context, "topgun repair batch", ALLOCSET_DEFAULT_SIZES),
		.exchange = AllocSetContextCreate(context, "topgun repair exchange", ALLOCSET_DEFAULT_SIZES),
		.gift = AllocSetContextCreate(context, "topgun repair gift", ALLOCSET_DEFAULT_SIZES)
	};

	memset(&repair->counts, 0, sizeof(repair->counts));
	PG_TRY();
	{
		if (is_any(repair->leaves))
			collect(&run);
		exchange_batches(&run);
	}
	PG_FINALLY();
	{
		if (run.list != NULL)
			tg_key_list_free(run.list);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
