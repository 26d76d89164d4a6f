/*-------------------------------------------------------------------------
 *
 * src/transport/view.h
 *	  A membership view, and its bytes.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_VIEW_H
#define TG_TRANSPORT_VIEW_H

#include "base/bytes.h"
#include "base/types.h"
#include "datatype/timestamp.h"

#define TG_MAX_MEMBERS			64	/* of a view */

typedef struct TgViewMember
{
	TgNodeId	node;
	TgEpoch		since;			/* it has joined, or come back, in this epoch */
	char	   *name;
	char	   *dsn;
} TgViewMember;

/* What made a view differ from the one before. */
typedef enum TgViewReason
{
	TG_VIEW_CREATED,			/* the cluster was */
	TG_VIEW_JOIN,
	TG_VIEW_LEAVE,
	TG_VIEW_EVICT,				/* by an operator */
	TG_VIEW_FORCE,				/* the same, without votes */
	TG_VIEW_FAILURE,			/* the node seems to have failed */
	TG_VIEW_REJOIN
} TgViewReason;

/*
 * Who is in the cluster.  Views are decided one after the other, see
 * cluster/ballot.c, except where an operator has forced one: then the lines of
 * views may have parted there.
 */
typedef struct TgView
{
	TgEpoch		epoch;
	uint64		id;				/* random: no two views have the same */
	TgEpoch		forked_at;		/* the epoch of the last forced view, */
	uint64		fork_id;		/* and its id; 0: there was none */
	TgNodeId	next_node;		/* the id that the next new node will get */
	TgNodeId	proposer;
	TimestampTz at;
	TgViewReason reason;
	char	   *subject;		/* name of the node that it is about */
	int			nmembers;
	TgViewMember members[TG_MAX_MEMBERS];	/* by node */
} TgView;

/* How one view stands to another. */
typedef enum TgViewOrder
{
	TG_VIEW_SAME,
	TG_VIEW_OLDER,
	TG_VIEW_NEWER,
	TG_VIEW_FOREIGN				/* of a line that has parted from the other's */
} TgViewOrder;

extern void tg_view_write(StringInfo buf, const TgView *view);
extern bool tg_view_read(TgReader *reader, TgView *view);
extern TgView *tg_view_copy(const TgView *view);

extern char *tg_view_reason_text(TgViewReason reason, const char *subject);
extern TgViewOrder tg_view_order(const TgView *a, const TgView *b);
extern const TgViewMember *tg_view_find(const TgView *view, TgNodeId node);
extern const TgViewMember *tg_view_find_name(const TgView *view, const char *name);
extern bool tg_view_has(const TgView *view, TgNodeId node);
extern TgNodeId tg_view_newcomer(const TgView *view);
extern void tg_view_add(TgView *view, const TgViewMember *member);
extern void tg_view_remove(TgView *view, TgNodeId node);

#endif							/* TG_TRANSPORT_VIEW_H */
