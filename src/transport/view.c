/*-------------------------------------------------------------------------
 *
 * src/transport/view.c
 *	  A membership view, and its bytes.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/view.h"
#include "transport/wire_part.h"

#define MIN_MEMBER_BYTES	(sizeof(uint16) + sizeof(uint64) + 2 * sizeof(uint32))

static void
write_text(StringInfo buf, const char *text)
{
	tg_write_counted(buf, text, strlen(text));
}

/*
 * Text with no zero byte, as a string in the current memory context.
 */
static char *
read_text(TgReader *reader)
{
	TgBytes		bytes = tg_read_counted(reader);

	if (!tg_reader_ok(reader))
		return "";
	if (memchr(bytes.data, '\0', bytes.len) != NULL)
		tg_reader_fail(reader);
	return pnstrdup(bytes.data, bytes.len);
}

/*
 * Append a view.
 */
void
tg_view_write(StringInfo buf, const TgView *view)
{
	tg_wire_write_sign(buf, TG_MESSAGE_VIEW);
	tg_write_u64(buf, view->epoch);
	tg_write_u64(buf, view->id);
	tg_write_u64(buf, view->forked_at);
	tg_write_u64(buf, view->fork_id);
	tg_write_u16(buf, view->next_node);
	tg_write_u16(buf, view->proposer);
	tg_write_u64(buf, (uint64) view->at);
	tg_write_u8(buf, view->reason);
	write_text(buf, view->subject);
	tg_write_u32(buf, view->nmembers);
	for (int i = 0; i < view->nmembers; i++)
	{
		const TgViewMember *member = &view->members[i];

		tg_write_u16(buf, member->node);
		tg_write_u64(buf, member->since);
		write_text(buf, member->name);
		write_text(buf, member->dsn);
	}
}

static void
read_member(TgReader *reader, TgView *view)
{
	TgViewMember *member = &view->members[view->nmembers];

	member->node = tg_wire_read_node(reader);
	member->since = tg_read_u64(reader);
	member->name = read_text(reader);
	member->dsn = read_text(reader);
	if (member->name[0] == '\0' || member->since > view->epoch ||
		member->node >= view->next_node ||
		(view->nmembers > 0 && member->node <= member[-1].node))
		tg_reader_fail(reader);
	view->nmembers++;
}

/*
 * Read a view.  It must be all that the reader holds.  Texts lie in the
 * current memory context.
 */
bool
tg_view_read(TgReader *reader, TgView *view)
{
	uint32		nmembers;
	uint8		reason;

	memset(view, 0, sizeof(*view));
	tg_wire_read_sign(reader, TG_MESSAGE_VIEW);
	view->epoch = tg_read_u64(reader);
	view->id = tg_read_u64(reader);
	view->forked_at = tg_read_u64(reader);
	view->fork_id = tg_read_u64(reader);
	view->next_node = tg_read_u16(reader);
	view->proposer = tg_wire_read_node(reader);
	view->at = (TimestampTz) tg_read_u64(reader);
	reason = tg_read_u8(reader);
	view->reason = reason;
	view->subject = read_text(reader);
	nmembers = tg_wire_read_count(reader, MIN_MEMBER_BYTES);
	if (view->epoch < 1 || view->epoch > PG_INT64_MAX || view->forked_at > view->epoch ||
		view->next_node > TG_MAX_NODE + 1 || reason > TG_VIEW_REJOIN ||
		nmembers < 1 || nmembers > TG_MAX_MEMBERS)
		tg_reader_fail(reader);
	for (uint32 i = 0; i < nmembers && tg_reader_ok(reader); i++)
		read_member(reader, view);
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}

/*
 * A copy in the current memory context; it shares the texts.
 */
TgView *
tg_view_copy(const TgView *view)
{
	TgView	   *copy = palloc(sizeof(TgView));

	*copy = *view;
	return copy;
}

/*
 * The reason in words, in the current memory context.
 */
char *
tg_view_reason_text(TgViewReason reason, const char *subject)
{
	switch (reason)
	{
		case TG_VIEW_CREATED:
			return psprintf("node \"%s\" creates the cluster", subject);
		case TG_VIEW_JOIN:
			return psprintf("node \"%s\" joins", subject);
		case TG_VIEW_LEAVE:
			return psprintf("node \"%s\" leaves", subject);
		case TG_VIEW_EVICT:
			return psprintf("node \"%s\" is evicted", subject);
		case TG_VIEW_FORCE:
			return psprintf("node \"%s\" is evicted by force", subject);
		case TG_VIEW_FAILURE:
			return psprintf("node \"%s\" has failed", subject);
		case TG_VIEW_REJOIN:
			return psprintf("node \"%s\" comes back", subject);
	}
	return "";
}

/*
 * Does a come from the line of views that b is in, or was b in that of a?  It
 * is not so if a forced view is between them that one of them does not know of.
 */
static bool
is_after(const TgView *a, const TgView *b)
{
	return a->epoch > b->epoch &&
		(a->fork_id == b->fork_id || a->forked_at > b->epoch);
}

/*
 * What is a, seen from b?
 */
TgViewOrder
tg_view_order(const TgView *a, const TgView *b)
{
	if (a->epoch == b->epoch && a->id == b->id)
		return TG_VIEW_SAME;
	if (is_after(a, b))
		return TG_VIEW_NEWER;
	return is_after(b, a) ? TG_VIEW_OLDER : TG_VIEW_FOREIGN;
}

/*
 * The member with this id, or NULL.
 */
const TgViewMember *
tg_view_find(const TgView *view, TgNodeId node)
{
	for (int i = 0; i < view->nmembers; i++)
		if (view->members[i].node == node)
			return &view->members[i];
	return NULL;
}

/*
 * The member with this name, or NULL.
 */
const TgViewMember *
tg_view_find_name(const TgView *view, const char *name)
{
	for (int i = 0; i < view->nmembers; i++)
		if (strcmp(view->members[i].name, name) == 0)
			return &view->members[i];
	return NULL;
}

/*
 * Is the node a member?
 */
bool
tg_view_has(const TgView *view, TgNodeId node)
{
	return tg_view_find(view, node) != NULL;
}

/*
 * The node whose first view this is; 0 if there is none.
 */
TgNodeId
tg_view_newcomer(const TgView *view)
{
	if (view->reason != TG_VIEW_JOIN)
		return 0;
	for (int i = 0; i < view->nmembers; i++)
		if (view->members[i].since == view->epoch)
			return view->members[i].node;
	return 0;
}

/*
 * Take a node out, if it is in.
 */
void
tg_view_remove(TgView *view, TgNodeId node)
{
	int			n = 0;

	for (int i = 0; i < view->nmembers; i++)
		if (view->members[i].node != node)
			view->members[n++] = view->members[i];
	view->nmembers = n;
}

/*
 * Put a node in, in the place of an entry that it may have.  There must be
 * room.
 */
void
tg_view_add(TgView *view, const TgViewMember *member)
{
	int			place;

	tg_view_remove(view, member->node);
	Assert(view->nmembers < TG_MAX_MEMBERS);
	for (place = view->nmembers; place > 0; place--)
	{
		if (view->members[place - 1].node < member->node)
			break;
		view->members[place] = view->members[place - 1];
	}
	view->members[place] = *member;
	view->nmembers++;
	view->next_node = Max(view->next_node, member->node + 1);
}
