/*-------------------------------------------------------------------------
 *
 * src/transport/life.c
 *	  Is who answers for a node that node still?  Pure.
 *
 * A node that is started again names the life we know among its ancestors, and
 * finds on its disk a ceiling above every stamp it had ever given.  A copy that
 * has lived on by itself does not have the former; a disk that was put back
 * from a backup not the latter, unless the node had done nothing since.  Started
 * once more, either would have a new ceiling; so what was refused once stays so,
 * with all that descends from it, until the node is taken back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/life.h"

/*
 * Was the node once in this life?
 */
bool
tg_life_descends(const TgPulse *told, TgIncarnation known)
{
	for (int i = 0; i < told->nancestors; i++)
		if (tg_incarnation_is(told->ancestors[i], known))
			return true;
	return false;
}

static bool
descends_from_refused(const TgPulse *told, const TgRefused *refused)
{
	for (int i = 0; i < refused->n; i++)
		if (tg_incarnation_is(told->incarnation, refused->lives[i]) ||
			tg_life_descends(told, refused->lives[i]))
			return true;
	return false;
}

/*
 * Judge what a node tells of itself, knowing one of its lives, the newest
 * stamp that it has given in it, and lives that were refused.
 */
TgLife
tg_life_judge(const TgPulse *told, TgIncarnation known, TgStamp newest,
			  const TgRefused *refused)
{
	if (known.counter == 0)
		return TG_LIFE_NEXT;
	if (tg_incarnation_is(told->incarnation, known))
		return TG_LIFE_KNOWN;
	if (!tg_life_descends(told, known))
		return TG_LIFE_COPY;
	return told->ceiling <= newest || descends_from_refused(told, refused) ?
		TG_LIFE_RESTORED : TG_LIFE_NEXT;
}

/*
 * Is it one of them?
 */
bool
tg_refused_has(const TgRefused *refused, TgIncarnation life)
{
	for (int i = 0; i < refused->n; i++)
		if (tg_incarnation_is(refused->lives[i], life))
			return true;
	return false;
}

/*
 * One more; the oldest may have to go for it.
 */
void
tg_refused_add(TgRefused *refused, TgIncarnation life)
{
	if (tg_refused_has(refused, life))
		return;
	memmove(&refused->lives[1], &refused->lives[0], (TG_MAX_REFUSED - 1) * sizeof(TgIncarnation));
	refused->lives[0] = life;
	refused->n = Min(refused->n + 1, TG_MAX_REFUSED);
}
