/*-------------------------------------------------------------------------
 *
 * src/transport/member.h
 *	  Members of the cluster: topgun.node.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_MEMBER_H
#define TG_TRANSPORT_MEMBER_H

#include "base/types.h"
#include "nodes/pg_list.h"

typedef struct TgMember
{
	TgNodeId	node;
	char	   *name;
	char	   *dsn;
	bool		is_active;		/* in the view */
	bool		is_newcomer;	/* for the first time */
	TgEpoch		since;			/* of its membership; 0: it is none */
} TgMember;

extern List *tg_members(void);
extern TgMember *tg_member_find(TgNodeId node);

#endif							/* TG_TRANSPORT_MEMBER_H */
