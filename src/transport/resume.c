/*-------------------------------------------------------------------------
 *
 * src/transport/resume.c
 *	  Copying what is missing of a table, and resuming a paused one.
 *
 * While a table is paused, changes of it are left where they come.  Nobody
 * keeps a list of them: when the table looks again as it does on a peer, it is
 * copied from every peer, one after another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "clock/identity.h"
#include "row/table.h"
#include "transport/copy.h"
#include "transport/member.h"
#include "transport/resume.h"
#include "utils/rel.h"

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
 * The active peer with the least id above this one, or 0.
 */
static TgNodeId
next_peer(TgNodeId after)
{
	TgNodeId	self = tg_node_id_required();
	TgNodeId	next = 0;
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active && member->node != self && member->node > after &&
			(next == 0 || member->node < next))
			next = member->node;
	}
	return next;
}

static bool
is_alike(TgLink *link, TgTableId table)
{
	char		id[16];
	TgLinkParam param = {id, 0, false};
	char	   *ours = tg_fingerprint_text(table);
	char	   *theirs;

	snprintf(id, sizeof(id), "%d", table);
	theirs = tg_link_ask(link, "SELECT topgun_internal.fingerprint($1)", 1, &param);
	return ours != NULL && theirs != NULL && strcmp(ours, theirs) == 0;
}

/*
 * Resume those paused tables that look as they do at this peer.  Needs a
 * transaction; no request may be under way on the link.
 */
void
tg_resume_paused(TgLink *link)
{
	ListCell   *lc;

	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);

		if (state->status != TG_TABLE_PAUSED || !is_alike(link, state->table))
			continue;
		state->status = TG_TABLE_COPYING;
		state->reason = NULL;
		state->copy_from = next_peer(0);
		state->copy_after.data = NULL;
		state->copy_rest = true;
		tg_table_state_put(state);
	}
}

static void
end_copy(TgTableState *state)
{
	TgNodeId	next = state->copy_rest ? next_peer(state->copy_from) : 0;

	state->copy_after.data = NULL;
	state->copy_from = next;
	if (next == 0)
	{
		state->status = TG_TABLE_SYNCED;
		state->copy_rest = false;
	}
}

/*
 * Copy one chunk of one table that waits to be copied from this peer.  False
 * if none does.  In a transaction of its own; no request may be under way.
 */
bool
tg_copy_pending(TgLink *link, TgNodeId peer)
{
	ListCell   *lc;

	foreach(lc, tg_table_states())
	{
		TgTableState *state = lfirst(lc);
		TgTableState now;

		if (state->status != TG_TABLE_COPYING || state->copy_from != peer)
			continue;
		if (!tg_copy_chunk(link, peer, state->table, &state->copy_after))
			end_copy(state);
		/* the chunk may have paused the table */
		if (tg_table_state_get(state->table, &now) && now.status == TG_TABLE_COPYING)
			tg_table_state_put(state);
		return true;
	}
	return false;
}
