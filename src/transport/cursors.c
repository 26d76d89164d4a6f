/*-------------------------------------------------------------------------
 *
 * src/transport/cursors.c
 *	  Where a node that takes over a member's tables starts to read journals:
 *	  both ends.
 *
 * The member says how far it is in everybody's journal, and where its own
 * ends.  Whoever takes over its tables afterwards has all that lies before
 * these places.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "row/gc_floor.h"
#include "transport/compare.h"
#include "transport/cursors.h"
#include "transport/gate.h"
#include "transport/member.h"
#include "transport/state.h"

#define ANSWER_TIMEOUT_MS			60000

/*
 * The places, as bytes.  Errors out if a table of ours is not in step: then
 * our tables are not what our vector says.
 */
StringInfo
tg_cursors_tell(void)
{
	TgNodeId	self = tg_node_id_required();
	StringInfo	buf = makeStringInfo();
	TgStamp		mark = tg_mark_for_journal(self);
	TgPosition	horizon = tg_inflight_horizon(self);
	TgVector   *merged = tg_peer_cursor_vector();
	ListCell   *lc;

	if (!tg_tables_in_step())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("node %d has tables that are not in step", self),
				 errhint("Use another member, or see topgun.stat_table on this one.")));

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);
		TgPeerCursor cursor;

		if (member->node == self)
		{
			(void) tg_vector_raise(merged, self, mark);
			cursor.vector = merged;
			cursor.cursor = tg_cursor_after(horizon);
		}
		else
			tg_peer_cursor_load(member->node, &cursor);
		tg_write_u16(buf, member->node);
		tg_write_u64(buf, cursor.cursor.position);
		tg_write_u32(buf, cursor.cursor.part);
		tg_vector_write(buf, cursor.vector);
	}
	return buf;
}

/*
 * Ask a member for the places: a list of TgPeerCursor.
 */
List *
tg_cursors_ask(TgLink *link)
{
	List	   *cursors = NIL;
	TgLinkParam param = tg_speaker_param();
	TgBytes		answer;
	TgReader	reader;

	tg_link_send(link, "SELECT topgun_internal.cursors($1)", 1, &param);
	answer = tg_link_receive(link, ANSWER_TIMEOUT_MS);
	tg_reader_init(&reader, answer.data, answer.len);
	while (!tg_reader_at_end(&reader))
	{
		TgPeerCursor *cursor = palloc(sizeof(TgPeerCursor));

		cursor->peer = tg_read_u16(&reader);
		cursor->cursor.position = tg_read_u64(&reader);
		cursor->cursor.part = tg_read_u32(&reader);
		cursor->vector = tg_vector_read(&reader);
		if (cursor->vector == NULL)
			break;
		cursors = lappend(cursors, cursor);
	}
	if (!tg_reader_ok(&reader))
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken cursors from the member")));
	return cursors;
}

/*
 * Take over the member's floor, in the caller's transaction, which is the one
 * that takes over its cursors.  Ask last: what the member has collected while
 * its tables were copied, we have not got either.
 */
void
tg_floor_adopt(TgLink *link, const TgMember *member)
{
	TgTreeRequest request = {
		.asker = tg_speaker_self(),
		.kind = TG_SCAN_STAMPS
	};
	TgTreeAnswer answer;

	(void) tg_tree_ask(link, member, &request, &answer);
	if (answer.gc_floor > tg_gc_floor())
		tg_gc_floor_raise(answer.gc_floor);
}
