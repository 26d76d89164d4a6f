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
#include "row/table.h"
#include "transport/gate.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "transport/resume.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define AWAY_MS			10000	/* a peer without an answer for so long */

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
 * Let the next peer be copied; if there is none the table is in step.
 */
static void
begin_next(TgTableState *state, TgCopyProgress *progress)
{
	progress->place.after = tg_bytes(NULL, 0);
	progress->copy = TG_NO_STAMP;
	progress->was_empty = false;
	state->copy_from = progress->is_join ? 0 : next_peer(progress->done);
	state->status = state->copy_from != 0 ? TG_TABLE_COPYING : TG_TABLE_SYNCED;
	state->copy_after = state->copy_from != 0 ? tg_copy_progress_write(progress) : tg_bytes(NULL, 0);
}

/*
 * The peer at copy_from is done with: go on with the next one.  The caller
 * stores the state.
 */
void
tg_copy_go_on(TgTableState *state, TgCopyProgress *progress)
{
	progress->done = bms_add_member(progress->done, state->copy_from);
	begin_next(state, progress);
}

/*
 * Have a table copied from every peer.  The caller stores the state.
 */
void
tg_copy_begin(TgTableState *state)
{
	TgCopyProgress progress = {0};

	state->reason = NULL;
	begin_next(state, &progress);
}

/*
 * Have a table copied from a member that had all before the places where we
 * begin to read journals.  The caller stores the state.
 */
void
tg_copy_begin_join(TgTableState *state, TgNodeId from)
{
	TgCopyProgress progress = {.is_join = true};

	state->status = TG_TABLE_COPYING;
	state->copy_from = from;
	state->copy_after = tg_copy_progress_write(&progress);
}

static bool
is_same(TgBytes a, TgBytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/*
 * Store a state, unless another worker has changed it after we have read it.
 */
void
tg_copy_replace_state(const TgTableState *old, const TgTableState *new)
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
char *
tg_ask_fingerprint(TgLink *link, TgTableId table)
{
	char		id[16];
	TgLinkParam params[] = {tg_speaker_param(), {id, 0, false}};

	snprintf(id, sizeof(id), "%d", table);
	return tg_link_ask(link, "SELECT topgun_internal.fingerprint($1, $2)", lengthof(params), params);
}

static bool
is_alike(TgLink *link, TgTableId table)
{
	char	   *ours = tg_fingerprint_text(table);
	char	   *theirs = ours != NULL ? tg_ask_fingerprint(link, table) : NULL;

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
		tg_copy_replace_state(state, &new);
	}
}

static bool
is_active(TgNodeId node)
{
	TgMember   *member = tg_member_find(node);

	return member != NULL && member->is_active;
}

/*
 * See that it is the turn of a peer that is there.  One that is away gives its
 * turn to any other that has not been copied yet, and waits for its next; one
 * that has left the cluster gives it up, and if it was enough for a join, then
 * all others together are.
 */
static void
pass_turn(TgTableState *state)
{
	TgCopyProgress progress = tg_copy_progress_read(state->copy_after);
	TgTableState old = *state;

	if (!is_active(state->copy_from))
	{
		progress.is_join = false;
		begin_next(state, &progress);
	}
	else
	{
		TgNodeId	next = progress.is_join ? 0 : next_peer(progress.done);

		if (next == 0 || is_away(next))
			return;
		begin_next(state, &progress);
	}
	tg_copy_replace_state(&old, state);
}

/*
 * The copy of a table has failed, and will be tried again.
 */
void
tg_copy_note_error(TgTableId table, const char *message)
{
	TgTableState state;

	LockRelationOid(tg_catalog_oid(TG_CAT_TABLE_STATE), ShareRowExclusiveLock);
	if (!tg_table_state_get(table, &state) || state.status != TG_TABLE_COPYING)
		return;
	state.reason = pstrdup(message);
	tg_table_state_put(&state);
}

/*
 * Is a table to be copied?
 */
bool
tg_copy_is_wanted(void)
{
	ListCell   *lc;

	foreach(lc, tg_table_states())
		if (((TgTableState *) lfirst(lc))->status == TG_TABLE_COPYING)
		return true;
	return false;
}

/*
 * A table that waits to be copied, and the peer whose turn it is and that is
 * there.  False if there is none.  Among several tables the seed decides, so
 * that one that fails does not keep the others from their turn.
 */
bool
tg_copy_choose(uint32 seed, TgTableId *table, TgNodeId *peer)
{
	List	   *states = tg_table_states();
	int			n = list_length(states);

	for (int i = 0; i < n; i++)
	{
		TgTableState *state = list_nth(states, (seed + i) % n);

		if (state->status == TG_TABLE_COPYING && is_away(state->copy_from))
			pass_turn(state);
		if (state->status != TG_TABLE_COPYING || is_away(state->copy_from))
			continue;
		*table = state->table;
		*peer = state->copy_from;
		return true;
	}
	return false;
}
