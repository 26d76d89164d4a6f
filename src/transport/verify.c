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
 *	3. both look at the keys that were not alike, wait until they have read
 *	   each other's journal, and look once more: what has not changed, on
 *	   either side, was not on its way.  A row that came and was deleted again
 *	   in between is as absent as before, so the stamp of the deletion counts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "base/failpoint.h"
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

static void
list_keys(const TgVerify *verify, const TgLeafSet *leaves, TgKeyList *list)
{
	TgKeyJoin  *join = tg_key_join_open(verify->link, verify->peer, verify->rel,
										TG_SCAN_CONTENTS, leaves);
	TgKeyPair	pair;

	while (tg_key_join_next(join, &pair))
		tg_key_list_add(list, &pair);
	tg_key_join_close(join);
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

/* What some keys are on both sides. */
typedef struct Look
{
	TgRowState *ours;
	TgPosition	our_position;
	TgRowsAnswer theirs;
} Look;

static void
look_at(const TgVerify *verify, TgBytes *keys, uint32 nkeys, Look *look)
{
	look->ours = tg_read_rows(verify->rel, keys, nkeys, &look->our_position);
	read_theirs(verify, keys, nkeys, &look->theirs);
}

static bool
is_same_state(const TgRowState *a, const TgRowState *b)
{
	return a->exists == b->exists && a->stamp == b->stamp && a->digest == b->digest;
}

static bool
differs(const Look *look, uint32 i)
{
	const TgRowState *ours = &look->ours[i];
	const TgRowState *theirs = &look->theirs.rows[i];

	return (ours->exists || theirs->exists) && !is_same_state(ours, theirs);
}

static bool
is_unchanged(const Look *before, const Look *now, uint32 i)
{
	return is_same_state(&before->ours[i], &now->ours[i]) &&
		is_same_state(&before->theirs.rows[i], &now->theirs.rows[i]);
}

static bool
any_differs(const Look *look, uint32 nkeys)
{
	for (uint32 i = 0; i < nkeys; i++)
		if (differs(look, i))
			return true;
	return false;
}

static TgKeySide
side_of(const TgRowState *row)
{
	TgKeySide	side = {row->exists, row->exists ? row->stamp : TG_NO_STAMP, row->digest};

	return side;
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
 * Look twice at keys that differed; report those that differ still, unchanged.
 */
static void
check_batch(const TgVerify *verify, TgBytes *keys, uint32 nkeys)
{
	Look		before;
	Look		now;
	uint32		nboth = 0;

	look_at(verify, keys, nkeys, &before);
	if (!any_differs(&before, nkeys))
		return;
	TG_FAILPOINT("verify-has-looked");
	tg_wait_until_read(verify->link, verify->peer, before.our_position, before.theirs.position);
	TG_FAILPOINT("verify-has-waited");
	look_at(verify, keys, nkeys, &now);
	for (uint32 i = 0; i < nkeys; i++)
	{
		TgKeyPair	pair = {keys[i], side_of(&now.ours[i]), side_of(&now.theirs.rows[i])};

		if (!differs(&now, i) || !is_unchanged(&before, &now, i))
			continue;
		verify->report(verify->report_arg, &pair);
		if (pair.ours.exists && pair.theirs.exists)
			keys[nboth++] = keys[i];
	}
	let_win(verify, keys, nboth);
}

static void
check_keys(const TgVerify *verify, TgKeyList *list)
{
	TgBytes    *keys = palloc(BATCH_KEYS * sizeof(TgBytes));
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "topgun verify batch",
												ALLOCSET_DEFAULT_SIZES);
	uint32		n;

	do
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		Size		bytes = 0;
		TgKeyPair	pair;

		for (n = 0; n < BATCH_KEYS && bytes < BATCH_BYTES && tg_key_list_next(list, &pair); n++)
		{
			char	   *copy = palloc(pair.key.len);

			memcpy(copy, pair.key.data, pair.key.len);
			keys[n] = tg_bytes(copy, pair.key.len);
			bytes += pair.key.len;
		}
		if (n > 0)
			check_batch(verify, keys, n);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	} while (n > 0);
	MemoryContextDelete(batch);
	pfree(keys);
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
