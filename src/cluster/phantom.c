/*-------------------------------------------------------------------------
 *
 * src/cluster/phantom.c
 *	  A member that was admitted and has not been heard of.
 *
 * A join may die after the members have voted for it.  Of three or more members
 * such a phantom is removed as any that has failed.  Of two, the other would
 * need its vote.  But there the other alone may decide: a view that is made by
 * a join may have its successor decided by a majority, or by all but the
 * newcomer, since any two of these have a voter in common.  We make use of that
 * only while the newcomer has never answered; then it is a member as any.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/phantom.h"
#include "transport/accepted.h"

/*
 * Is this other node a member that has never answered us?
 */
bool
tg_is_phantom(const TgMember *member)
{
	return member->is_active && member->is_newcomer && !tg_accepted_has_lived(member->node);
}

/*
 * The member without whom we decide alone; 0 if there is none.
 */
TgNodeId
tg_phantom_of_two(const TgView *view, TgNodeId self)
{
	TgNodeId	newcomer = tg_view_newcomer(view);

	return view->nmembers == 2 && newcomer != 0 && newcomer != self &&
		tg_view_has(view, self) && !tg_accepted_has_lived(newcomer) ? newcomer : 0;
}
