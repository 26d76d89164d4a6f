/*-------------------------------------------------------------------------
 *
 * src/transport/verify.c
 *	  Comparing the contents of a table with those at a peer.
 *
 * Stored trees know keys and stamps.  What stamps do not show, a row that was
 * changed past the triggers or on disk, only shows when the rows are read:
 *	1. both sides read their table at the same time and make a tree of its
 *	   contents;
 *	2. both read it again and list keys, stamps and digests of contents of the
 *	   leaves that differ;
 *	3. both wait until they have read each other's journal, and look at those
 *	   keys once more that were not alike: what has not changed, on either
 *	   side, was not on its way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "miscadmin.h"
#include "row/table.h"
#include "transport/alike.h"
#include "transport/compare.h"
#include "transport/gate.h"
#include "transport/key_list.h"
#include "transport/rows.h"
#include "transport/verify.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define BATCH_KEYS			10000
#define BATCH_BYTES			(4 * 1024 * 1024)	/* of keys */
#define ANSWER_TIMEOUT_MS	(10 * 60 * 1000)

/*
 * The leaves whose contents differ; false if there are none.
 */
static bool
find_leaves(const TgVerify *verify, TgLeafSet *leaves)
{
	TgTreeQuestion question = {.table = tg_table_id(verify->rel)};
	TgTreeRequest request = {
		.asker = tg_speaker_self(),
		.kind = TG_SCAN_CONTENTS,
		.nquestions = 1,
		.questions = &question
	};
	TgTreeAnswer answer;
	TgTree	   *ours = tg_tree_create();
	Snapshot	snapshot;
	bool		found = false;

	(void) tg_tree_send(verify->link, &request);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	tg_scan_tree(verify->rel, snapshot, TG_SCAN_CONTENTS, max_parallel_maintenance_workers, ours);
	UnregisterSnapshot(snapshot);
	(void) tg_tree_receive(verify->link, verify->peer, &request, &answer);
	tg_require_alike(verify->rel, answer.parts[0].fingerprint, verify->peer->node);

	memset(leaves, 0, sizeof(*leaves));
	for (uint32 leaf = 0; leaf < TG_TREE_LEAVES; leaf++)
	{
		const TgTreeGroup *group = answer.parts[0].leaves[leaf / TG_GROUP_LEAVES];
		TgLeafDigest here = tg_tree_leaf(ours, leaf);
		TgLeafDigest there = {0, 0};

		if (group != NULL)
			there = group->leaves[leaf % TG_GROUP_LEAVES];
		if (here.sum == there.sum && here.rows == there.rows)
			continue;
		tg_leaf_set_add(leaves, leaf);
		found = true;
	}
	tg_tree_free(ours);
	return found;
}

/*
 * List the keys that differ, and wait until neither side has more to learn of
 * what the other had then.
 */
static void
list_keys(const TgVerify *verify, const TgLeafSet *leaves, TgKeyList *list)
{
	TgKeyJoin  *join = tg_key_join_open(verify->link, verify->peer, verify->rel,
										TG_SCAN_CONTENTS, leaves);
	TgPosition	ours = tg_key_join_our_position(join);
	TgPosition	theirs = tg_key_join_their_position(join);
	TgKeyPair	pair;
	bool		found = false;

	while (tg_key_join_next(join, &pair))
	{
		tg_key_list_add(list, &pair);
		found = true;
	}
	tg_key_join_close(join);
	if (found)
		tg_wait_until_read(verify->link, verify->peer, ours, theirs);
}

static TgBytes
ask_about_rows(const TgVerify *verify, const char *sql, TgBytes *keys, uint32 nkeys)
{
	TgRowsRequest request = {
		.asker = tg_speaker_self(),
		.table = tg_table_id(verify->rel),
		.fingerprint = tg_table_get(verify->rel)->fingerprint,
		.nkeys = nkeys,
		.keys = keys
	};
	TgLinkParam param = {.is_binary = true};
	StringInfoData buf;

	initStringInfo(&buf);
	tg_wire_write_rows(&buf, &request);
	param.data = buf.data;
	param.len = buf.len;
	tg_link_send(verify->link, sql, 1, &param);
	return tg_link_receive(verify->link, ANSWER_TIMEOUT_MS);
}

static void
read_theirs(const TgVerify *verify, TgBytes *keys, uint32 nkeys, TgRowsAnswer *answer)
{
	TgBytes		bytes = ask_about_rows(verify, "SELECT topgun_internal.row_states($1)",
									   keys, nkeys);
	TgReader	reader;

	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_wire_read_rows_answer(&reader, answer) ||
		answer->sender != verify->peer->node || answer->nrows != nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken answer from node \"%s\"", verify->peer->name),
				 errhint("The nodes may run different versions of topgun.")));
}

static bool
is_unchanged(const TgKeySide *before, const TgRowState *now)
{
	return before->exists == now->exists && before->stamp == now->stamp &&
		before->digest == now->digest;
}

static void
let_win(const TgVerify *verify, TgBytes *keys, uint32 nkeys)
{
	if (nkeys == 0)
		return;
	if (verify->winner == verify->peer->node)
		(void) ask_about_rows(verify, "SELECT topgun_internal.restamp($1)", keys, nkeys);
	else if (verify->winner != 0)
		(void) tg_restamp_rows(verify->rel, keys, nkeys);
}

/*
 * Look again at keys that differed; report those that differ still.
 */
static void
check_batch(const TgVerify *verify, TgKeyPair *pairs, int n)
{
	TgBytes    *keys = palloc(n * sizeof(TgBytes));
	TgRowState *ours;
	TgRowsAnswer theirs;
	uint32		nboth = 0;

	for (int i = 0; i < n; i++)
		keys[i] = pairs[i].key;
	ours = tg_read_rows(verify->rel, keys, n);
	read_theirs(verify, keys, n, &theirs);
	for (int i = 0; i < n; i++)
	{
		if (!is_unchanged(&pairs[i].ours, &ours[i]) ||
			!is_unchanged(&pairs[i].theirs, &theirs.rows[i]))
			continue;
		verify->report(verify->report_arg, &pairs[i]);
		if (pairs[i].ours.exists && pairs[i].theirs.exists)
			keys[nboth++] = pairs[i].key;
	}
	let_win(verify, keys, nboth);
}

static void
check_keys(const TgVerify *verify, TgKeyList *list)
{
	TgKeyPair  *pairs = palloc(BATCH_KEYS * sizeof(TgKeyPair));
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "topgun verify batch",
												ALLOCSET_DEFAULT_SIZES);
	int			n;

	do
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		Size		bytes = 0;

		for (n = 0; n < BATCH_KEYS && bytes < BATCH_BYTES && tg_key_list_next(list, &pairs[n]); n++)
		{
			char	   *copy = palloc(pairs[n].key.len);

			memcpy(copy, pairs[n].key.data, pairs[n].key.len);
			pairs[n].key.data = copy;
			bytes += pairs[n].key.len;
		}
		if (n > 0)
			check_batch(verify, pairs, n);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	} while (n > 0);
	MemoryContextDelete(batch);
	pfree(pairs);
}

/*
 * Compare the contents of a table, which the caller holds open and locked, with
 * those at a peer.  Each key that differs is reported.  With a winner, rows
 * that both have get a fresh stamp there; they travel as any change.
 */
void
tg_verify(const TgVerify *verify)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun verify",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgLeafSet  *leaves = palloc(sizeof(TgLeafSet));

	if (find_leaves(verify, leaves))
	{
		TgKeyList  *list = tg_key_list_create(false);

		list_keys(verify, leaves, list);
		check_keys(verify, list);
		tg_key_list_free(list);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
