/*-------------------------------------------------------------------------
 *
 * src/transport/resume.c
 *	  Copying what is missing of a table, and resuming a paused one.
 *
 * While a table is paused or missing, changes of it are left where they come.
 * Nobody keeps a list of them: the table is copied from every peer afterwards,
 * one after another.  Peers that are away come last; until they are back, and
 * copied, the table is not in step.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/catalog.h"
#include "clock/identity.h"
#include "nodes/bitmapset.h"
#include "row/table.h"
#include "transport/copy.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/resume.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define AWAY_MS			10000	/* a peer without an answer for so long */

/*
 * How far a copy has come, as TgTableState.copy_after has it: the number of
 * peers that have been copied, these peers, and where the copy from the one at
 * copy_from goes on.
 */
typedef struct Progress
{
	Bitmapset  *done;
	TgCopyPlace place;
} Progress;

/*
 * The fingerprint of a table as it is here, NULL if it is not.
 */
char *
tg_fingerprint_text(TgTableId table)
{
	Oid			relid = tg_table_relid(table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	char	   *text = NULL;

	if (rel == NULL)
		return NULL;
	if (tg_table_id(rel) == table)
		text = psprintf(UINT64_FORMAT, tg_table_get(rel)->fingerprint);

	relation_close(rel, AccessShareLock);
	return text;
}

static Progress
read_progress(TgBytes bytes)
{
	Progress	progress = {0};
	TgReader	reader;

	if (bytes.data == NULL)
		return progress;
	tg_reader_init(&reader, bytes.data, bytes.len);
	for (int left = tg_read_u16(&reader); left > 0 && tg_reader_ok(&reader); left--)
		progress.done = bms_add_member(progress.done, tg_read_u16(&reader));
	progress.place.after.len = tg_reader_left(&reader);
	progress.place.after.data = tg_read_bytes(&reader, progress.place.after.len);
	if (!tg_reader_ok(&reader))
		elog(ERROR, "the progress of a copy is broken");
	return progress;
}

static TgBytes
write_progress(const Progress *progress)
{
	StringInfoData buf;
	int			node = -1;

	initStringInfo(&buf);
	tg_write_u16(&buf, bms_num_members(progress->done));
	while ((node = bms_next_member(progress->done, node)) >= 0)
		tg_write_u16(&buf, node);
	if (progress->place.after.len > 0)
		tg_write_bytes(&buf, progress->place.after.data, progress->place.after.len);
	return tg_bytes_of_buf(&buf);
}

/*
 * Is the peer not to be waited for?  One that was there a moment ago is, and
 * so is one that was not tried yet.
 */
static bool
is_away(TgNodeId node)
{
	TgMember   *member = tg_member_find(node);
	TgPeer		peer;

	if (member == NULL || !member->is_active)
		return true;
	return tg_peer_get(node, &peer) && peer.state != TG_PEER_STREAMING &&
		peer.last_failure > peer.last_answer &&
		TimestampDifferenceExceeds(peer.last_answer, GetCurrentTimestamp(), AWAY_MS);
}

/*
 * The peer to be copied next, rather one that is there; 0 if all have been.
 */
static TgNodeId
next_peer(const Bitmapset *done)
{
	TgNodeId	self = tg_node_id_required();
	TgNodeId	next = 0;
	bool		next_is_away = false;
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);
		bool		away;

		if (!member->is_active || member->node == self || bms_is_member(member->node, done))
			continue;
		away = is_away(member->node);
		if (next == 0 || (next_is_away && !away) ||
			(next_is_away == away && member->node < next))
		{
			next = member->node;
			next_is_away = away;
		}
	}
	return next;
}

/*
 * Go on with the next peer; if there is none the table is in step.
 */
static void
go_on(TgTableState *state, Progress *progress)
{
	progress->place.after = tg_bytes(NULL, 0);
	state->copy_from = next_peer(progress->done);
	state->status = state->copy_from != 0 ? TG_TABLE_COPYING : TG_TABLE_SYNCED;
	state->copy_after = state->copy_from != 0 ? write_progress(progress) : progress->place.after;
}

/*
 * Have a table copied from every peer.  The caller stores the state.
 */
void
tg_copy_begin(TgTableState *state)
{
	Progress	progress = {0};

	state->reason = NULL;
	go_on(state, &progress);
}

static bool
is_same(TgBytes a, TgBytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/*
 * Store a state, unless another worker has changed it after we have read it.
 */
static void
replace_state(const TgTableState *old, const TgTableState *new)
{
	TgTableState now;

	LockRelationOid(tg_catalog_oid(TG_CAT_TABLE_STATE), ShareRowExclusiveLock);
	if (!tg_table_state_get(old->table, &now) ||
		now.status != old->status || now.copy_from != old->copy_from ||
		!is_same(now.copy_after, old->copy_after))
		return;
	tg_table_state_put(new);
}

/*
 * The fingerprint of a table at the peer, NULL if it is not there.
 */
static char *
ask_fingerprint(TgLink *link, TgTableId table)
{
	char		id[16];
	TgLinkParam param = {id, 0, false};

	snprintf(id, sizeof(id), "%d", table);
	return tg_link_ask(link, "SELECT topgun_internal.fingerprint($1)", 1, &param);
}

static bool
is_alike(TgLink *link, TgTableId table)
{
	char	   *ours = tg_fingerprint_text(table);
	char	   *theirs = ours != NULL ? ask_fingerprint(link, table) : NULL;

	return theirs != NULL && strcmp(ours, theirs) == 0;
}

/*
 * Resume those paused tables that look as they do at this peer.  If it is
 * known for which peer one was paused, that one decides, unless it is away.
 * Needs a transaction; no request may be under way on the link.
 */
void
tg_resume_paused(TgLink *link, TgNodeId peer)
{
	ListCell   *lc;

	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);
		TgTableState new = *state;

		if (state->status != TG_TABLE_PAUSED)
			continue;
		if (state->copy_from != 0 && state->copy_from != peer && !is_away(state->copy_from))
			continue;
		if (!is_alike(link, state->table))
			continue;
		tg_copy_begin(&new);
		replace_state(state, &new);
	}
}

/*
 * Is it this peer's turn?  If the one whose turn it is is away, any other may
 * take it that has not been copied yet.
 */
static bool
is_turn_of(TgNodeId peer, const TgTableState *state, const Progress *progress)
{
	if (state->status != TG_TABLE_COPYING)
		return false;
	return state->copy_from == peer ||
		(!bms_is_member(peer, progress->done) && is_away(state->copy_from));
}

/*
 * Copy one chunk of one table that waits to be copied from this peer.  False
 * if none does.  In a transaction of its own; no request may be under way.
 * What the peer does not replicate yet, it will announce when it does.
 */
bool
tg_copy_pending(TgLink *link, TgNodeId peer)
{
	ListCell   *lc;

	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);
		Progress	progress = read_progress(state->copy_after);
		TgTableState new = *state;

		if (!is_turn_of(peer, state, &progress))
			continue;
		if (state->copy_from != peer)
			progress.place.after = tg_bytes(NULL, 0);
		new.copy_from = peer;
		if (ask_fingerprint(link, state->table) != NULL &&
			tg_copy_chunk(link, peer, state->table, &progress.place))
			new.copy_after = write_progress(&progress);
		else
		{
			progress.done = bms_add_member(progress.done, peer);
			go_on(&new, &progress);
		}
		replace_state(state, &new);
		return true;
	}
	return false;
}
