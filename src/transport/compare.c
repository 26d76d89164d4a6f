/*-------------------------------------------------------------------------
 *
 * src/transport/compare.c
 *	  Comparing the tree of a table with that of a peer.
 *
 * What is on its way between two nodes makes their trees differ, too.  So one
 * look is not enough: a leaf is suspect if it differs in two, with digests
 * that have not changed, and each side has read the other's journal in between
 * beyond what its tree had in it at the first look.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "base/guc.h"
#include "base/wait.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "digest/tree_store.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "transport/compare.h"
#include "transport/gate.h"
#include "transport/peer.h"
#include "transport/tree_now.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define ANSWER_TIMEOUT_MS	(10 * 60 * 1000)
#define WAIT_MS				10000	/* for journals to be read, or longer if
									 * connecting may take longer */
#define POLL_MS				20

static void
refuse_answer(const TgMember *peer)
{
	ereport(ERROR,
			(errcode(ERRCODE_TG_PROTOCOL),
			 errmsg("broken answer from node \"%s\"", peer->name),
			 errhint("The nodes may run different versions of topgun.")));
}

static bool
is_answer_to(const TgTreeRequest *request, const TgTreeAnswer *answer)
{
	if (answer->nparts != request->nquestions)
		return false;
	for (uint32 i = 0; i < answer->nparts; i++)
		if (answer->parts[i].table != request->questions[i].table)
			return false;
	return true;
}

/*
 * Send a tree request; how many bytes it has.
 */
int64
tg_tree_send(TgLink *link, const TgTreeRequest *request)
{
	StringInfoData buf;
	TgLinkParam param = {.is_binary = true};

	initStringInfo(&buf);
	tg_wire_write_tree(&buf, request);
	param.data = buf.data;
	param.len = buf.len;
	tg_link_send(link, "SELECT topgun_internal.tree($1)", 1, &param);
	pfree(buf.data);
	return buf.len;
}

/*
 * Receive the answer to it, in the current memory context; how many bytes it
 * has.
 */
int64
tg_tree_receive(TgLink *link, const TgMember *peer, const TgTreeRequest *request,
				TgTreeAnswer *answer)
{
	TgBytes		bytes = tg_link_receive(link, ANSWER_TIMEOUT_MS);
	TgReader	reader;

	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_wire_read_tree_answer(&reader, answer) || !is_answer_to(request, answer))
		refuse_answer(peer);
	if (answer->sender != peer->node)
		ereport(ERROR,
				(errcode(ERRCODE_TG_UNKNOWN_PEER),
				 errmsg("node %d answers where node \"%s\" should", answer->sender, peer->name),
				 errhint("See the connection strings in topgun.node.")));
	return bytes.len;
}

/*
 * Both of it.
 */
int64
tg_tree_ask(TgLink *link, const TgMember *peer, const TgTreeRequest *request, TgTreeAnswer *answer)
{
	int64		sent = tg_tree_send(link, request);

	return sent + tg_tree_receive(link, peer, request, answer);
}

/* Our side of a look. */
typedef struct Ours
{
	TgLook	   *look;
	TgTreeHead	head;
	TgTree	   *tree;
} Ours;

static void
read_ours(void *arg)
{
	Ours	   *ours = arg;
	TgLook	   *look = ours->look;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	look->our_position = tg_folded_position(snapshot);
	tg_tree_load_head(look->table, snapshot, &ours->head);
	ours->tree = tg_tree_load(look->table, snapshot);
	look->our_root = ours->head.root;
	UnregisterSnapshot(snapshot);
}

/*
 * Read our tree as it is with everything that is committed now.
 */
static void
look_here(TgLook *look, const TgMember *peer, Ours *ours)
{
	TgPeer		known;

	look->we_merged = tg_cursor_after(0);
	if (tg_peer_get(peer->node, &known))
		look->we_merged = known.cursor;
	ours->look = look;
	tg_fold_and_read(read_ours, ours);
}

static void
ask(TgLink *link, const TgMember *peer, TgTreeQuestion *question, TgLook *look, TgTreePart *part)
{
	TgTreeRequest request = {
		.asker = tg_speaker_self(),
		.kind = TG_SCAN_STAMPS,
		.nquestions = 1,
		.questions = question
	};
	TgTreeAnswer answer;

	look->bytes += tg_tree_ask(link, peer, &request, &answer);
	*part = answer.parts[0];
	look->their_position = answer.position;
	look->they_merged = answer.merged;
	look->their_status = part->status;
	look->their_root = part->root;
}

static bool
is_same_leaf(TgLeafDigest a, TgLeafDigest b)
{
	return a.sum == b.sum && a.rows == b.rows;
}

static void
add_differences(TgLook *look, const TgTree *ours, const TgTreePart *theirs)
{
	look->differences = palloc_extended((Size) TG_TREE_LEAVES * sizeof(TgLeafDifference), 0);
	for (uint32 leaf = 0; leaf < TG_TREE_LEAVES; leaf++)
	{
		const TgTreeGroup *group = theirs->leaves[leaf / TG_GROUP_LEAVES];
		TgLeafDifference difference = {.leaf = leaf};

		if (group == NULL)
			continue;
		difference.ours = tg_tree_leaf(ours, leaf);
		difference.theirs = group->leaves[leaf % TG_GROUP_LEAVES];
		if (!is_same_leaf(difference.ours, difference.theirs))
			look->differences[look->ndifferences++] = difference;
	}
	look->differences = repalloc(look->differences,
								 Max(look->ndifferences, 1) * sizeof(TgLeafDifference));
}

/*
 * Look at the trees of a table here and at a peer, in the current memory
 * context.  Two round trips: the root and the groups, then the leaves of those
 * groups that differ; one if the roots are equal.  Makes a transaction of its
 * own if there is none.  No differences are reported unless the peer has the
 * table in step.
 */
TgLook *
tg_look(TgLink *link, const TgMember *peer, TgTableId table)
{
	TgLook	   *look = palloc0(sizeof(TgLook));
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun look",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Ours		ours;
	TgTreeQuestion question = {.table = table};
	TgTreePart *part = palloc(sizeof(TgTreePart));

	look->table = table;
	look_here(look, peer, &ours);
	question.root = ours.head.root;
	ask(link, peer, &question, look, part);
	if (look->their_status == TG_TABLE_SYNCED && part->has_groups)
	{
		for (int group = 0; group < TG_TREE_GROUPS; group++)
			if (part->groups[group] != ours.head.groups[group])
				tg_group_set_add(&question.leaves_of, group);
		ask(link, peer, &question, look, part);
		MemoryContextSwitchTo(old);
		add_differences(look, ours.tree, part);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return look;
}

static bool
has_read(TgCursor cursor, TgPosition position)
{
	return cursor.position > position ||
		(cursor.position == position && cursor.part == TG_WHOLE_POSITION);
}

/*
 * Has each side read, at the second look, all that the other's tree had in it
 * at the first?
 */
bool
tg_look_is_settled(const TgLook *first, const TgLook *second)
{
	return has_read(second->we_merged, first->their_position) &&
		has_read(second->they_merged, first->our_position);
}

/*
 * A copy of the second look, in the current memory context, that has only
 * those differences which were there at the first one already, unchanged.
 */
TgLook *
tg_look_suspects(const TgLook *first, const TgLook *second)
{
	TgLook	   *suspects = palloc(sizeof(TgLook));
	int			i = 0;

	*suspects = *second;
	suspects->bytes += first->bytes;
	suspects->ndifferences = 0;
	suspects->differences = palloc(Max(second->ndifferences, 1) * sizeof(TgLeafDifference));
	for (int k = 0; k < second->ndifferences; k++)
	{
		const TgLeafDifference *now = &second->differences[k];

		while (i < first->ndifferences && first->differences[i].leaf < now->leaf)
			i++;
		if (i < first->ndifferences && first->differences[i].leaf == now->leaf &&
			is_same_leaf(first->differences[i].ours, now->ours) &&
			is_same_leaf(first->differences[i].theirs, now->theirs))
			suspects->differences[suspects->ndifferences++] = *now;
	}
	return suspects;
}

/*
 * The leaves that differ.
 */
void
tg_look_leaves(const TgLook *look, TgLeafSet *leaves)
{
	memset(leaves, 0, sizeof(*leaves));
	for (int i = 0; i < look->ndifferences; i++)
		tg_leaf_set_add(leaves, look->differences[i].leaf);
}

/*
 * How far the peer has merged our journal.
 */
static TgCursor
ask_merged(TgLink *link, const TgMember *peer)
{
	TgTreeRequest request = {
		.asker = tg_speaker_self(),
		.kind = TG_SCAN_STAMPS
	};
	TgTreeAnswer answer;

	(void) tg_tree_ask(link, peer, &request, &answer);
	return answer.merged;
}

static void
give_up(const TgMember *peer, bool we_lag)
{
	TgMember   *self = tg_member_find(tg_node_id_required());
	const char *reader = we_lag ? self->name : peer->name;
	const char *writer = we_lag ? peer->name : self->name;

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("node \"%s\" has not read the journal of node \"%s\" in time", reader, writer),
			 errdetail("What is on its way between the nodes cannot be told from what differs."),
			 errhint("See topgun.stat_peer on node \"%s\".", reader)));
}

/*
 * Wait until we have read the peer's journal up to one position, and the peer
 * ours up to another.  Errors out if that takes too long.
 */
void
tg_wait_until_read(TgLink *link, const TgMember *peer, TgPosition ours, TgPosition theirs)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   Max(WAIT_MS, tg_connect_timeout_ms));
	bool		they_have = false;

	for (;;)
	{
		TgPeer		known;
		bool		we_have = tg_peer_get(peer->node, &known) && has_read(known.cursor, theirs);

		they_have = they_have || has_read(ask_merged(link, peer), ours);
		if (we_have && they_have)
			return;
		if (GetCurrentTimestamp() >= deadline)
			give_up(peer, !we_have);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_MS, tg_wait_event(TG_WAIT_PAUSE));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Look twice at a table, as soon as that makes sense; the differences that are
 * suspect, in the current memory context.  Errors out if journals are not read
 * in time.
 */
TgLook *
tg_compare(TgLink *link, const TgMember *peer, TgTableId table)
{
	TgLook	   *first = tg_look(link, peer, table);

	if (first->ndifferences == 0)
		return first;
	tg_wait_until_read(link, peer, first->our_position, first->their_position);
	return tg_look_suspects(first, tg_look(link, peer, table));
}
