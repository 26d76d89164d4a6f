/*-------------------------------------------------------------------------
 *
 * src/cluster/phi.c
 *	  How sure are we that a peer has failed?  Pure.
 *
 * N. Hayashibara et al., "The phi accrual failure detector" (2004).  phi is
 * -log10 of the probability that a heartbeat comes later than it is by now, if
 * the intervals between heartbeats are distributed normally, as those in the
 * window: with 8, one suspicion in 10^8 heartbeats is wrong.
 *
 * All times are milliseconds of one monotonic clock, which the caller reads.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "cluster/phi.h"

/* Deviation of the first interval, as a share of it. */
#define FIRST_DEVIATION			0.25

/* An observer that was late for so many intervals did not run. */
#define PAUSE_INTERVALS			3

/*
 * Begin to watch a peer.  It has until the first interval is over, as if a
 * heartbeat had come now.
 */
void
tg_phi_watch(TgPhi *phi, int64 now_ms)
{
	memset(phi, 0, sizeof(*phi));
	phi->is_watched = true;
	phi->last_ms = now_ms;
}

/*
 * Watch it no longer.
 */
void
tg_phi_forget(TgPhi *phi)
{
	memset(phi, 0, sizeof(*phi));
}

/*
 * What is expected of the interval between two heartbeats.
 */
void
tg_phi_expectation(const TgPhi *phi, const TgPhiSettings *settings,
				   double *mean_ms, double *deviation_ms)
{
	double		sum = 0;
	double		squares = 0;

	if (phi->nsamples < Min(settings->min_samples, settings->max_samples) ||
		phi->interval_ms != settings->interval_ms)
	{
		*mean_ms = settings->interval_ms;
		*deviation_ms = Max(settings->min_deviation_ms, FIRST_DEVIATION * settings->interval_ms);
		return;
	}

	for (int i = 0; i < phi->nsamples; i++)
		sum += phi->samples_ms[i];
	*mean_ms = sum / phi->nsamples;
	for (int i = 0; i < phi->nsamples; i++)
		squares += (phi->samples_ms[i] - *mean_ms) * (phi->samples_ms[i] - *mean_ms);
	*deviation_ms = Max(settings->min_deviation_ms, sqrt(squares / phi->nsamples));
}

/*
 * phi as of now: 0 just after a heartbeat and for a peer that is not watched,
 * at most TG_PHI_CEILING.
 */
double
tg_phi_value(const TgPhi *phi, int64 now_ms, const TgPhiSettings *settings)
{
	double		mean_ms;
	double		deviation_ms;
	double		later;

	if (!phi->is_watched || now_ms <= phi->last_ms)
		return 0;

	tg_phi_expectation(phi, settings, &mean_ms, &deviation_ms);

	/* 1 - CDF, from the tail: the difference itself would be 0 from phi 16 on */
	later = 0.5 * erfc((now_ms - phi->last_ms - mean_ms) / (deviation_ms * M_SQRT2));
	if (later <= pow(10, -TG_PHI_CEILING))
		return TG_PHI_CEILING;
	return Max(0.0, -log10(later));
}

static void
add_sample(TgPhi *phi, int64 interval_ms, const TgPhiSettings *settings)
{
	int			max_samples = Min(settings->max_samples, TG_PHI_MAX_SAMPLES);

	/* samples of another rate, or of a longer window, say nothing */
	if (phi->interval_ms != settings->interval_ms || phi->nsamples > max_samples)
	{
		phi->interval_ms = settings->interval_ms;
		phi->nsamples = phi->next = 0;
	}
	if (phi->next >= max_samples)
		phi->next = 0;
	phi->samples_ms[phi->next++] = (int32) Min(interval_ms, PG_INT32_MAX);
	phi->nsamples = Max(phi->nsamples, phi->next);
}

/*
 * A heartbeat has come; one from a peer that is not watched begins it.  The
 * interval that ends a suspicion is no sample: a long one would hide the next
 * failure.
 */
TgPhiEvent
tg_phi_heartbeat(TgPhi *phi, int64 now_ms, const TgPhiSettings *settings)
{
	bool		was_suspected = phi->is_suspected;

	if (!phi->is_watched)
		tg_phi_watch(phi, now_ms);
	else if (phi->heartbeats > 0 && !was_suspected && now_ms >= phi->last_ms)
		add_sample(phi, now_ms - phi->last_ms, settings);

	phi->last_ms = Max(phi->last_ms, now_ms);
	phi->heartbeats++;
	phi->is_suspected = phi->is_confirmed = false;
	return was_suspected ? TG_PHI_RECOVERED : TG_PHI_NOTHING;
}

/*
 * Look whether a heartbeat is missing.  Each event is reported once; between
 * suspicion and confirmation lies at least one look.
 */
TgPhiEvent
tg_phi_check(TgPhi *phi, int64 now_ms, const TgPhiSettings *settings)
{
	if (!phi->is_suspected)
	{
		if (tg_phi_value(phi, now_ms, settings) < settings->threshold)
			return TG_PHI_NOTHING;
		phi->is_suspected = true;
		phi->suspected_ms = now_ms;
		phi->suspicions++;
		return TG_PHI_SUSPECTED;
	}
	if (phi->is_confirmed || now_ms - phi->suspected_ms < settings->confirmation_ms)
		return TG_PHI_NOTHING;
	phi->is_confirmed = true;
	phi->confirmations++;
	return TG_PHI_CONFIRMED;
}

/*
 * An observer that looks once an interval, or more often, has looked last at
 * last_look_ms: for how long has it itself not run?
 */
int64
tg_phi_pause(int64 last_look_ms, int64 now_ms, int interval_ms)
{
	int64		gap_ms = now_ms - last_look_ms;

	if (gap_ms <= (int64) PAUSE_INTERVALS * interval_ms)
		return 0;
	return gap_ms - interval_ms;
}

/*
 * The observer did not run for so long: this time was no silence of the peer.
 */
void
tg_phi_excuse(TgPhi *phi, int64 pause_ms)
{
	phi->last_ms += pause_ms;
	phi->suspected_ms += pause_ms;
}
