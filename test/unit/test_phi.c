/*-------------------------------------------------------------------------
 *
 * test/unit/test_phi.c
 *	  The failure detector, in simulated time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "cluster/phi.h"
#include "common/pg_prng.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_phi);

#define START_MS		INT64CONST(86400000)	/* of the monotonic clock */
#define HOUR_MS			INT64CONST(3600000)
#define LOOK_MS			100

static const TgPhiSettings defaults = {
	.threshold = 8,
	.interval_ms = 1000,
	.min_samples = 10,
	.max_samples = 100,
	.min_deviation_ms = 100,
	.confirmation_ms = 10000
};

/* A peer that has sent heartbeats once a second; time is that of the last. */
static int64
steady(TgPhi *phi, int heartbeats)
{
	int64		now_ms = START_MS;

	tg_phi_forget(phi);
	tg_phi_watch(phi, now_ms);
	for (int i = 0; i < heartbeats; i++)
	{
		now_ms += 1000;
		CHECK(tg_phi_heartbeat(phi, now_ms, &defaults) == TG_PHI_NOTHING);
	}
	return now_ms;
}

/* Look until an event comes; when that is, or 0 if none does until "until". */
static int64
time_of(TgPhi *phi, TgPhiEvent event, int64 from_ms, int64 until_ms)
{
	for (int64 now_ms = from_ms; now_ms <= until_ms; now_ms += LOOK_MS)
	{
		TgPhiEvent	got = tg_phi_check(phi, now_ms, &defaults);

		if (got == event)
			return now_ms;
		CHECK_SHOWING(got == TG_PHI_NOTHING, "event %d", got);
	}
	return 0;
}

static void
check_watching(void)
{
	TgPhi		phi = {0};

	/* unknown: phi 0, no event, however late it is */
	CHECK(tg_phi_value(&phi, START_MS, &defaults) == 0);
	CHECK(tg_phi_check(&phi, START_MS, &defaults) == TG_PHI_NOTHING);

	/* start */
	tg_phi_watch(&phi, START_MS);
	CHECK(phi.is_watched && !phi.is_suspected && phi.heartbeats == 0);

	/* one that never sends a heartbeat is suspected, too */
	CHECK(time_of(&phi, TG_PHI_SUSPECTED, START_MS, START_MS + 5000) > START_MS + 1000);

	/* stop */
	tg_phi_forget(&phi);
	CHECK(!phi.is_watched && !phi.is_suspected);
	CHECK(tg_phi_value(&phi, START_MS + HOUR_MS, &defaults) == 0);
	CHECK(tg_phi_check(&phi, START_MS + HOUR_MS, &defaults) == TG_PHI_NOTHING);

	/* the first heartbeat of an unknown one begins it */
	CHECK(tg_phi_heartbeat(&phi, START_MS, &defaults) == TG_PHI_NOTHING);
	CHECK(phi.is_watched && phi.heartbeats == 1 && phi.nsamples == 0);
}

static void
check_heartbeats(void)
{
	TgPhi		phi;
	int64		now_ms = steady(&phi, 5);
	double		mean_ms;
	double		deviation_ms;

	/* recorded: as many intervals as lie between them */
	CHECK(phi.heartbeats == 5 && phi.nsamples == 4 && phi.last_ms == now_ms);

	/* few samples: what the settings say is believed */
	tg_phi_expectation(&phi, &defaults, &mean_ms, &deviation_ms);
	CHECK(mean_ms == 1000 && deviation_ms == 250);

	/* enough of them: equal intervals deviate by the least that is allowed */
	now_ms = steady(&phi, 11);
	tg_phi_expectation(&phi, &defaults, &mean_ms, &deviation_ms);
	CHECK(mean_ms == 1000 && deviation_ms == 100);

	/* the window is no longer than it should be, and forgets the oldest */
	now_ms = steady(&phi, 500);
	CHECK(phi.nsamples == 100);
	for (int i = 0; i < 100; i++)
		(void) tg_phi_heartbeat(&phi, now_ms += 900, &defaults);
	tg_phi_expectation(&phi, &defaults, &mean_ms, &deviation_ms);
	CHECK(mean_ms == 900 && deviation_ms == 100);
}

/*
 * phi is what its definition says, grows in silence, and ends at a ceiling.
 */
static void
check_value(void)
{
	static const struct
	{
		int			silence_ms;
		double		phi;
	}			specs[] = {
		{0, 0}, {1000, 0.30103}, {1100, 0.79955}, {1200, 1.64302}, {1300, 2.86964},
		{1500, 6.54265}, {1562, 8.02009}, {2000, 23.118}, {2500, 50.435}, {1000000, TG_PHI_CEILING},
	};
	TgPhi		phi;
	int64		now_ms = steady(&phi, 20);
	double		previous = 0;

	CHECK(tg_phi_value(&phi, now_ms, &defaults) == 0);
	CHECK(tg_phi_value(&phi, now_ms + 1, &defaults) < 0.001);
	CHECK(tg_phi_value(&phi, now_ms - 1000, &defaults) == 0);
	for (int i = 0; i < lengthof(specs); i++)
	{
		double		value = tg_phi_value(&phi, now_ms + specs[i].silence_ms, &defaults);

		CHECK_SHOWING(fabs(value - specs[i].phi) < 0.01, "%d ms: phi %g", specs[i].silence_ms, value);
	}
	for (int ms = 0; ms < 20000; ms += 10)
	{
		double		value = tg_phi_value(&phi, now_ms + ms, &defaults);

		CHECK_SHOWING(value >= previous && value <= TG_PHI_CEILING, "%d ms: phi %g", ms, value);
		CHECK(value > previous || value == TG_PHI_CEILING || value < 1e-12);
		previous = value;
	}
}

static void
check_events(void)
{
	TgPhi		phi;
	int64		now_ms = steady(&phi, 20);
	int64		suspected_ms = time_of(&phi, TG_PHI_SUSPECTED, now_ms, now_ms + 5000);
	int64		confirmed_ms;

	/* suspected, once; equal intervals do not hide a failure */
	CHECK_SHOWING(suspected_ms == now_ms + 1600, "after %d ms", (int) (suspected_ms - now_ms));
	CHECK(phi.is_suspected && phi.suspicions == 1);

	/* a heartbeat clears it; the long interval is no sample */
	CHECK(tg_phi_heartbeat(&phi, suspected_ms + 5000, &defaults) == TG_PHI_RECOVERED);
	CHECK(!phi.is_suspected && phi.nsamples == 19);
	now_ms = phi.last_ms;
	CHECK(tg_phi_value(&phi, now_ms, &defaults) == 0);

	/* suspected again, and failed after ten seconds of that */
	suspected_ms = time_of(&phi, TG_PHI_SUSPECTED, now_ms, now_ms + 5000);
	confirmed_ms = time_of(&phi, TG_PHI_CONFIRMED, suspected_ms, now_ms + 60000);
	CHECK(confirmed_ms == suspected_ms + 10000);
	CHECK(phi.is_suspected && phi.is_confirmed && phi.confirmations == 1);
	CHECK(time_of(&phi, TG_PHI_CONFIRMED, confirmed_ms, confirmed_ms + 60000) == 0);

	/* and back at once */
	CHECK(tg_phi_heartbeat(&phi, confirmed_ms + 60000, &defaults) == TG_PHI_RECOVERED);
	CHECK(!phi.is_suspected && !phi.is_confirmed);

	/*
	 * a heartbeat in between: not confirmed, and ten new seconds if it falls
	 * silent again
	 */
	now_ms = phi.last_ms;
	suspected_ms = time_of(&phi, TG_PHI_SUSPECTED, now_ms, now_ms + 5000);
	CHECK(time_of(&phi, TG_PHI_CONFIRMED, suspected_ms, suspected_ms + 9900) == 0);
	CHECK(tg_phi_heartbeat(&phi, suspected_ms + 9950, &defaults) == TG_PHI_RECOVERED);
	now_ms = phi.last_ms;
	suspected_ms = time_of(&phi, TG_PHI_SUSPECTED, now_ms, now_ms + 5000);
	CHECK(time_of(&phi, TG_PHI_CONFIRMED, suspected_ms, suspected_ms + 9900) == 0);

	/* metrics */
	CHECK(phi.suspicions == 4 && phi.confirmations == 1 && phi.heartbeats == 23);
}

/*
 * Few heartbeats so far: the first estimate detects, and does not accuse.
 */
static void
check_few_samples(void)
{
	for (int heartbeats = 0; heartbeats <= 10; heartbeats++)
	{
		TgPhi		phi;
		int64		now_ms = steady(&phi, heartbeats);
		int64		suspected_ms = time_of(&phi, TG_PHI_SUSPECTED, now_ms, now_ms + 60000);

		CHECK_SHOWING(suspected_ms == now_ms + 2500, "%d heartbeats: after %d ms", heartbeats,
					  (int) (suspected_ms - now_ms));
	}
}

/*
 * Another heartbeat interval: samples of the old one do not count.
 */
static void
check_new_interval(void)
{
	TgPhiSettings slow = defaults;
	TgPhi		phi;
	int64		now_ms = steady(&phi, 100);

	slow.interval_ms = 5000;
	for (int i = 0; i < 20; i++)
	{
		for (int64 ms = 0; ms < 5000; ms += LOOK_MS)
			CHECK(tg_phi_check(&phi, now_ms + ms, &slow) == TG_PHI_NOTHING);
		CHECK(tg_phi_heartbeat(&phi, now_ms += 5000, &slow) == TG_PHI_NOTHING);
	}
	CHECK(phi.nsamples == 20);
}

/* Normally distributed, by Box and Muller. */
static double
normal(double mean, double deviation)
{
	double		u = 1 - pg_prng_double(&pg_global_prng_state);
	double		v = pg_prng_double(&pg_global_prng_state);

	return mean + deviation * sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/*
 * An hour of heartbeats whose intervals tremble: no false suspicion, and a
 * true failure at its end is found.  Returns how often a fixed time-out that
 * finds one as fast in calm weather would have been wrong.
 */
static int
live_an_hour(double deviation_ms)
{
	TgPhi		phi = {0};
	int64		now_ms = START_MS;
	int64		suspected_ms;
	int			wrong = 0;

	tg_phi_watch(&phi, now_ms);
	while (now_ms < START_MS + HOUR_MS)
	{
		/* it begins calm */
		double		share = Min(1.0, (now_ms - START_MS) / 1200000.0);
		int64		interval_ms = Max(1, (int64) normal(1000, deviation_ms * share));

		for (int64 ms = 0; ms < interval_ms; ms += LOOK_MS)
			CHECK_SHOWING(tg_phi_check(&phi, now_ms + ms, &defaults) == TG_PHI_NOTHING,
						  "deviation %g: suspected after %d ms", deviation_ms, (int) ms);
		wrong += interval_ms > 1600;
		(void) tg_phi_heartbeat(&phi, now_ms += interval_ms, &defaults);
	}
	suspected_ms = time_of(&phi, TG_PHI_SUSPECTED, now_ms, now_ms + 60000);
	CHECK_SHOWING(suspected_ms > now_ms + 1000 &&
				  suspected_ms <= now_ms + 1000 + Max(100, deviation_ms) * 5.612 * 1.35 + LOOK_MS,
				  "deviation %g: after %d ms", deviation_ms, (int) (suspected_ms - now_ms));
	CHECK(phi.suspicions == 1);
	return wrong;
}

/*
 * By chance, one hour in about three thousand has a false suspicion, so these
 * hours are the same in each run.
 */
static void
check_jitter(void)
{
	pg_prng_seed(&pg_global_prng_state, 1);
	CHECK(live_an_hour(0) == 0);
	CHECK(live_an_hour(50) == 0);
	(void) live_an_hour(150);
	CHECK(live_an_hour(250) > 5);
	CHECK(live_an_hour(400) > 100);
}

/*
 * The observer itself did not run: nobody is accused, and what was missing
 * before is missing still.
 */
static void
check_observer_pause(void)
{
	TgPhi		phi;
	int64		now_ms = steady(&phi, 50);
	int64		pause_ms;
	int64		suspected_ms;

	CHECK(tg_phi_pause(now_ms, now_ms + 1000, 1000) == 0);
	CHECK(tg_phi_pause(now_ms, now_ms + 3000, 1000) == 0);
	pause_ms = tg_phi_pause(now_ms, now_ms + HOUR_MS, 1000);
	CHECK(pause_ms == HOUR_MS - 1000);

	/* without the excuse everybody would be suspected on waking */
	CHECK(tg_phi_value(&phi, now_ms + HOUR_MS, &defaults) == TG_PHI_CEILING);
	tg_phi_excuse(&phi, pause_ms);
	now_ms += HOUR_MS;
	CHECK(tg_phi_check(&phi, now_ms, &defaults) == TG_PHI_NOTHING);
	CHECK(tg_phi_heartbeat(&phi, now_ms + 50, &defaults) == TG_PHI_NOTHING);
	for (int i = 0; i < phi.nsamples; i++)
		CHECK_SHOWING(phi.samples_ms[i] <= 1050, "%d ms", phi.samples_ms[i]);

	/* one that is dead, too, is found after the pause */
	tg_phi_excuse(&phi, pause_ms);
	now_ms += 50 + pause_ms;
	suspected_ms = time_of(&phi, TG_PHI_SUSPECTED, now_ms, now_ms + 5000);
	CHECK(suspected_ms == now_ms + 1600);

	/* nor does a pause make a suspicion a certainty */
	tg_phi_excuse(&phi, pause_ms);
	CHECK(tg_phi_check(&phi, suspected_ms + pause_ms + 1000, &defaults) == TG_PHI_NOTHING);
	CHECK(time_of(&phi, TG_PHI_CONFIRMED, suspected_ms + pause_ms, suspected_ms + pause_ms + 9900) == 0);
	CHECK(tg_phi_check(&phi, suspected_ms + pause_ms + 10000, &defaults) == TG_PHI_CONFIRMED);
}

/*
 * Whatever comes when, with whatever settings: events come in their order.
 */
static void
check_any(int rounds)
{
	TgPhiSettings settings = defaults;
	TgPhi		phi = {0};
	int64		now_ms = START_MS;

	for (int round = 0; round < rounds; round++)
	{
		bool		was_suspected = phi.is_suspected;
		bool		was_confirmed = phi.is_confirmed;
		TgPhiEvent	event;

		if (unit_one_in(1000))
		{
			settings.threshold = 1 + unit_below(20);
			settings.interval_ms = 100 + unit_below(3000);
			settings.min_samples = 2 + unit_below(TG_PHI_MAX_SAMPLES - 1);
			settings.max_samples = 2 + unit_below(TG_PHI_MAX_SAMPLES - 1);
			settings.min_deviation_ms = 1 + unit_below(1000);
			settings.confirmation_ms = unit_below(20000);
		}
		if (unit_one_in(5000))
		{
			tg_phi_forget(&phi);
			continue;
		}
		now_ms += unit_one_in(50) ? unit_below(30000) : unit_below(settings.interval_ms);
		if (unit_one_in(3))
		{
			event = tg_phi_heartbeat(&phi, now_ms, &settings);
			CHECK(event == (was_suspected ? TG_PHI_RECOVERED : TG_PHI_NOTHING));
			CHECK(tg_phi_value(&phi, now_ms, &settings) == 0);
		}
		else
		{
			event = tg_phi_check(&phi, now_ms, &settings);
			CHECK(event != TG_PHI_RECOVERED);
			CHECK(event != TG_PHI_SUSPECTED || !was_suspected);
			CHECK(event != TG_PHI_CONFIRMED || (was_suspected && !was_confirmed));
		}
		CHECK(phi.nsamples <= TG_PHI_MAX_SAMPLES && phi.next <= TG_PHI_MAX_SAMPLES);
		CHECK(!phi.is_confirmed || phi.is_suspected);
	}
}

/*
 * The suite.
 */
Datum
test_phi(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	check_watching();
	check_heartbeats();
	check_value();
	check_events();
	check_few_samples();
	check_new_interval();
	check_observer_pause();
	check_any(rounds);
	check_jitter();
	PG_RETURN_VOID();
}
