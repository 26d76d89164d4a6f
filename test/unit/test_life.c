/*-------------------------------------------------------------------------
 *
 * test/unit/test_life.c
 *	  Nodes that are started again, copied and restored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/life.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_life);

/* A disk: what a backup takes, and what a start finds. */
typedef struct Disk
{
	TgIncarnation lives[TG_PULSE_MAX_ANCESTORS + 1];	/* the newest first */
	int			nlives;
	TgStamp		ceiling;
} Disk;

static void
start_server(Disk *disk, TgPulse *pulse)
{
	int			kept = Min(disk->nlives, TG_PULSE_MAX_ANCESTORS);
	TgIncarnation life = {disk->nlives > 0 ? disk->lives[0].counter + 1 : 1, unit_below(PG_UINT64_MAX)};

	memset(pulse, 0, sizeof(*pulse));
	pulse->ceiling = disk->ceiling;
	pulse->incarnation = life;
	memcpy(pulse->ancestors, disk->lives, kept * sizeof(TgIncarnation));
	pulse->nancestors = kept;
	memmove(&disk->lives[1], &disk->lives[0], kept * sizeof(TgIncarnation));
	disk->lives[0] = life;
	disk->nlives = kept + 1;
}

/* Give a stamp: the disk has been told before. */
static TgStamp
give_stamp(Disk *disk)
{
	TgStamp		stamp = disk->ceiling + unit_below(1000);

	disk->ceiling = stamp + 1 + unit_below(1000);
	return stamp;
}

static void
live(int rounds)
{
	const TgRefused none = {0};

	for (int round = 0; round < rounds; round++)
	{
		Disk		disk = {0};
		Disk		backup;
		TgPulse		pulse;
		TgPulse		copy;
		TgIncarnation known = {0, 0};
		TgStamp		newest;
		TgRefused	refused = {0};
		int			starts;

		/* the first life is accepted, whichever it is */
		start_server(&disk, &pulse);
		CHECK(tg_life_judge(&pulse, known, PG_UINT64_MAX, &refused) == TG_LIFE_NEXT);
		known = pulse.incarnation;
		newest = give_stamp(&disk);
		CHECK(tg_life_judge(&pulse, known, newest, &refused) == TG_LIFE_KNOWN);

		/* so is each start that follows, also if we were away meanwhile */
		for (starts = 1 + unit_below(5); starts > 0; starts--)
			start_server(&disk, &pulse);
		CHECK(tg_life_judge(&pulse, known, newest, &refused) == TG_LIFE_NEXT);
		known = pulse.incarnation;
		newest = give_stamp(&disk);

		/* a backup that is put back is older than what we know */
		backup = disk;
		start_server(&backup, &copy);
		CHECK(tg_life_judge(&copy, known, newest, &refused) == TG_LIFE_NEXT);
		backup = disk;
		newest = give_stamp(&disk);
		start_server(&backup, &copy);
		CHECK(tg_life_judge(&copy, known, newest, &refused) == TG_LIFE_RESTORED);

		/* started once more it would be new enough, were it not known by then */
		tg_refused_add(&refused, copy.incarnation);
		(void) give_stamp(&backup);
		backup.ceiling += newest;
		for (starts = unit_below(3); starts >= 0; starts--)
		{
			start_server(&backup, &copy);
			CHECK(tg_life_judge(&copy, known, newest, &none) == TG_LIFE_NEXT);
			CHECK(tg_life_judge(&copy, known, newest, &refused) == TG_LIFE_RESTORED);
			tg_refused_add(&refused, copy.incarnation);
			CHECK(tg_refused_has(&refused, copy.incarnation));
		}
		CHECK(refused.n <= TG_MAX_REFUSED);

		/* one that is started beside the node once this one was started again */
		start_server(&disk, &pulse);
		CHECK(tg_life_judge(&pulse, known, newest, &refused) == TG_LIFE_NEXT);
		known = pulse.incarnation;
		for (starts = unit_below(3); starts >= 0; starts--)
		{
			CHECK(tg_life_judge(&copy, known, newest, &refused) == TG_LIFE_COPY);
			(void) give_stamp(&backup);
			start_server(&backup, &copy);
		}

		/* and one whose ancestors we do not know any more */
		for (starts = TG_PULSE_MAX_ANCESTORS; starts >= 0; starts--)
			start_server(&disk, &pulse);
		CHECK(tg_life_judge(&pulse, known, newest, &refused) == TG_LIFE_COPY);
	}
}

/*
 * The suite.
 */
Datum
test_life(PG_FUNCTION_ARGS)
{
	live(unit_start(fcinfo) / 100);
	PG_RETURN_VOID();
}
