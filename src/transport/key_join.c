/*-------------------------------------------------------------------------
 *
 * src/transport/key_join.c
 *	  The keys of chosen leaves, here and at a peer, side by side.
 *
 * The peer is asked first, then both sides read their table at the same time.
 * The peer's keys come from a cursor of its session, chunk by chunk, so that
 * neither side needs memory for all of them; the cursor is held over the end of
 * its transaction, so the peer holds no snapshot while we read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "base/guc.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "journal/inflight.h"
#include "row/table.h"
#include "transport/gate.h"
#include "transport/key_join.h"
#include "transport/tree_now.h"
#include "utils/snapmgr.h"

#define SCAN_TIMEOUT_MS		(60 * 60 * 1000)	/* for the peer to read its
												 * table */

struct TgKeyJoin
{
	TgLink	   *link;
	const TgMember *peer;
	const TgLeafSet *leaves;
	TgScanKind	kind;

	/* our side */
	TgLeafRows *rows;
	Snapshot	snapshot;
	TgLeafRow	ours;
	bool		ours_ended;

	/* theirs */
	TgKeysHead	head;			/* of the chunk that is being read */
	TgReader	reader;
	uint32		left;			/* rows of it */
	TgLeafRow	theirs;
	bool		theirs_ended;
	StringInfoData last_key;	/* rows must come in order */
	uint32		last_leaf;
	bool		has_last;

	bool		is_used_ours;	/* the last pair was made of it */
	bool		is_used_theirs;
	int64		compared;
	int64		bytes;
};

static void
refuse(const TgKeyJoin *join)
{
	ereport(ERROR,
			(errcode(ERRCODE_TG_PROTOCOL),
			 errmsg("broken list of keys from node \"%s\"", join->peer->name),
			 errhint("The nodes may run different versions of topgun.")));
}

static void
send_fetch(TgKeyJoin *join)
{
	tg_link_send(join->link, "FETCH 1 FROM topgun_keys", 0, NULL);
}

/*
 * Have the peer read its table, and ask for the first chunk.
 */
static void
send_request(TgKeyJoin *join, Relation rel)
{
	TgKeysRequest *request = palloc(sizeof(TgKeysRequest));
	TgLinkParam param = {.is_binary = true};
	StringInfoData buf;

	*request = (TgKeysRequest)
	{
		.asker = tg_speaker_self(),
			.table = tg_table_id(rel),
			.fingerprint = tg_table_get(rel)->fingerprint,
			.kind = join->kind,
			.leaves = *join->leaves
	};
	initStringInfo(&buf);
	tg_wire_write_keys(&buf, request);
	param.data = buf.data;
	param.len = buf.len;
	tg_link_send(join->link, "DECLARE topgun_keys NO SCROLL CURSOR WITH HOLD FOR "
				 "SELECT topgun_internal.leaf_keys($1)", 1, &param);
	send_fetch(join);
	join->bytes += buf.len;
	pfree(buf.data);
	pfree(request);
}

/*
 * Receive a chunk, and ask for the next one while we read it.
 */
static void
receive_chunk(TgKeyJoin *join)
{
	TgBytes		bytes = tg_link_receive(join->link, SCAN_TIMEOUT_MS);

	if (bytes.data == NULL)
		refuse(join);
	tg_reader_init(&join->reader, bytes.data, bytes.len);
	if (!tg_wire_read_keys_head(&join->reader, &join->head) ||
		join->head.sender != join->peer->node || join->head.kind != join->kind)
		refuse(join);
	join->left = join->head.nrows;
	join->bytes += bytes.len;
	if (!join->head.is_last)
		send_fetch(join);
}

static int
compare_keys(uint32 leaf_a, TgBytes a, uint32 leaf_b, TgBytes b)
{
	int			cmp;

	if (leaf_a != leaf_b)
		return leaf_a < leaf_b ? -1 : 1;
	cmp = memcmp(a.data, b.data, Min(a.len, b.len));
	if (cmp != 0)
		return cmp;
	return a.len < b.len ? -1 : a.len > b.len ? 1 : 0;
}

/*
 * They must be of the leaves that were asked for, and in order.
 */
static void
check_theirs(TgKeyJoin *join)
{
	const TgLeafRow *row = &join->theirs;

	if (!tg_leaf_set_has(join->leaves, row->leaf))
		refuse(join);
	if (join->has_last &&
		compare_keys(join->last_leaf, tg_bytes_of_buf(&join->last_key), row->leaf, row->key) >= 0)
		refuse(join);
	join->has_last = true;
	join->last_leaf = row->leaf;
	resetStringInfo(&join->last_key);
	appendBinaryStringInfo(&join->last_key, row->key.data, row->key.len);
}

static void
advance_theirs(TgKeyJoin *join)
{
	while (join->left == 0)
	{
		if (!tg_reader_at_end(&join->reader))
			refuse(join);
		join->theirs_ended = join->head.is_last;
		if (join->theirs_ended)
			return;
		receive_chunk(join);
	}
	join->left--;
	if (!tg_wire_read_leaf_row(&join->reader, join->kind, &join->theirs))
		refuse(join);
	check_theirs(join);
}

static void
advance_ours(TgKeyJoin *join)
{
	join->ours_ended = !tg_leaf_rows_next(join->rows, &join->ours);
}

/*
 * Begin to compare.  The caller holds the table locked, and uses the link for
 * nothing else meanwhile.  What is returned lives in the current memory
 * context; the leaves must live as long.
 */
TgKeyJoin *
tg_key_join_open(TgLink *link, const TgMember *peer, Relation rel, TgScanKind kind,
				 const TgLeafSet *leaves)
{
	TgKeyJoin  *join = palloc0(sizeof(TgKeyJoin));

	join->link = link;
	join->peer = peer;
	join->kind = kind;
	join->leaves = leaves;
	initStringInfo(&join->last_key);
	send_request(join, rel);

	join->snapshot = RegisterSnapshot(GetLatestSnapshot());
	join->rows = tg_leaf_rows_open(rel, join->snapshot, kind, leaves);
	advance_ours(join);

	(void) tg_link_receive(link, SCAN_TIMEOUT_MS);
	receive_chunk(join);
	advance_theirs(join);
	return join;
}

/*
 * Leave behind what the last pair was made of, and see which side is next:
 * ours if negative, theirs if positive, both if zero.
 */
static int
advance(TgKeyJoin *join)
{
	if (join->is_used_ours)
		advance_ours(join);
	if (join->is_used_theirs)
		advance_theirs(join);
	join->is_used_ours = false;
	join->is_used_theirs = false;
	if (join->ours_ended)
		return 1;
	if (join->theirs_ended)
		return -1;
	return compare_keys(join->ours.leaf, join->ours.key, join->theirs.leaf, join->theirs.key);
}

static TgKeySide
side_of(const TgLeafRow *row)
{
	TgKeySide	side = {true, row->stamp, row->digest};

	return side;
}

static bool
is_equal(const TgKeyPair *pair)
{
	return pair->ours.exists && pair->theirs.exists &&
		pair->ours.stamp == pair->theirs.stamp && pair->ours.digest == pair->theirs.digest;
}

/*
 * The next key that is not the same on both sides; false if there is none.
 * The key is valid until the next call.
 */
bool
tg_key_join_next(TgKeyJoin *join, TgKeyPair *pair)
{
	for (;;)
	{
		int			side = advance(join);

		if (join->ours_ended && join->theirs_ended)
			return false;
		memset(pair, 0, sizeof(*pair));
		join->is_used_ours = side <= 0;
		join->is_used_theirs = side >= 0;
		if (join->is_used_ours)
			pair->ours = side_of(&join->ours);
		if (join->is_used_theirs)
			pair->theirs = side_of(&join->theirs);
		pair->key = join->is_used_ours ? join->ours.key : join->theirs.key;
		join->compared++;
		if (!is_equal(pair))
			return true;
	}
}

/*
 * How many keys have been compared so far.
 */
int64
tg_key_join_compared(const TgKeyJoin *join)
{
	return join->compared;
}

/*
 * How many bytes have been sent and received so far.
 */
int64
tg_key_join_bytes(const TgKeyJoin *join)
{
	return join->bytes;
}

/*
 * All keys have been read.
 */
void
tg_key_join_close(TgKeyJoin *join)
{
	tg_leaf_rows_close(join->rows);
	UnregisterSnapshot(join->snapshot);
	(void) tg_link_ask(join->link, "CLOSE topgun_keys", 0, NULL);
	pfree(join->last_key.data);
	pfree(join);
}
