/*-------------------------------------------------------------------------
 *
 * src/cluster/phi.h
 *	  How sure are we that a peer has failed?  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_PHI_H
#define TG_CLUSTER_PHI_H

#define TG_PHI_MAX_SAMPLES		256 /* most that topgun.phi_max_samples can be */
#define TG_PHI_CEILING			100.0

typedef struct TgPhiSettings
{
	double		threshold;		/* suspect a peer from here on */
	int			interval_ms;	/* of heartbeats, as long as few have come */
	int			min_samples;	/* with fewer, believe interval_ms */
	int			max_samples;
	int			min_deviation_ms;
	int			confirmation_ms;	/* of suspicion: then it has failed */
} TgPhiSettings;

/* What a heartbeat, or the lack of one, has made of a peer. */
typedef enum TgPhiEvent
{
	TG_PHI_NOTHING,
	TG_PHI_SUSPECTED,
	TG_PHI_RECOVERED,
	TG_PHI_CONFIRMED
} TgPhiEvent;

/* All of it zero: a peer that is not watched. */
typedef struct TgPhi
{
	bool		is_watched;
	bool		is_suspected;
	bool		is_confirmed;	/* only if suspected */
	int64		last_ms;		/* the last heartbeat; before it, the begin */
	int64		suspected_ms;	/* since when; only if suspected */
	int64		heartbeats;		/* counters since the begin */
	int64		suspicions;
	int64		confirmations;
	int			interval_ms;	/* of heartbeats, when the samples were taken */
	int			nsamples;
	int			next;			/* place of the next sample */
	int32		samples_ms[TG_PHI_MAX_SAMPLES];
} TgPhi;

extern void tg_phi_watch(TgPhi *phi, int64 now_ms);
extern void tg_phi_forget(TgPhi *phi);
extern TgPhiEvent tg_phi_heartbeat(TgPhi *phi, int64 now_ms, const TgPhiSettings *settings);
extern TgPhiEvent tg_phi_check(TgPhi *phi, int64 now_ms, const TgPhiSettings *settings);
extern double tg_phi_value(const TgPhi *phi, int64 now_ms, const TgPhiSettings *settings);
extern void tg_phi_expectation(const TgPhi *phi, const TgPhiSettings *settings,
							   double *mean_ms, double *deviation_ms);

extern int64 tg_phi_pause(int64 last_look_ms, int64 now_ms, int interval_ms);
extern void tg_phi_excuse(TgPhi *phi, int64 pause_ms);

#endif							/* TG_CLUSTER_PHI_H */
