/*-------------------------------------------------------------------------
 *
 * src/transport/life.c
 *	  Is who answers for a node that node still?  Pure.
 *
 * A node that is started again names the life we know among its ancestors, and
 * finds on its disk a ceiling above every stamp it had ever given.  A copy that
 * has lived on by itself does not have the former; a disk that was put back
 * from a backup not the latter, unless the node had done nothing since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/life.h"

static bool
descends_from(const TgPulse *told, TgIncarnation known)
{
	for (int i = 0; i < told->nancestors; i++)
		if (tg_incarnation_is(told->ancestors[i], known))
			return true;
	return false;
}

/*
 * Judge what a node tells of itself, knowing one of its lives and the newest
 * stamp that it has given in it.
 */
TgLife
tg_life_judge(const TgPulse *told, TgIncarnation known, TgStamp newest)
{
	if (known.counter == 0)
		return TG_LIFE_NEXT;
	if (tg_incarnation_is(told->incarnation, known))
		return TG_LIFE_KNOWN;
	if (!descends_from(told, known))
		return TG_LIFE_COPY;
	return told->ceiling <= newest ? TG_LIFE_RESTORED : TG_LIFE_NEXT;
}
