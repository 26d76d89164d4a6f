/*-------------------------------------------------------------------------
 *
 * src/base/guc.h
 *	  Settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_GUC_H
#define TG_BASE_GUC_H

/* What becomes of writes that a fence concerns. */
typedef enum TgWrites
{
	TG_WRITES_ALLOW,
	TG_WRITES_REJECT
} TgWrites;

/* Values of topgun.synchronous: who must have a commit durably. */
typedef enum TgSynchronous
{
	TG_SYNCHRONOUS_OFF,			/* we alone, as synchronous_commit says */
	TG_SYNCHRONOUS_ONE,			/* one other member */
	TG_SYNCHRONOUS_QUORUM,		/* a majority of all, ourselves included */
	TG_SYNCHRONOUS_ALL
} TgSynchronous;

extern int	tg_ack_timeout_ms;
extern int	tg_clock_offset_ms;
extern int	tg_confirmation_timeout_ms;
extern int	tg_conflict_max_size_kb;
extern int	tg_conflict_retention_s;
extern double tg_conflict_sample;
extern int	tg_connect_timeout_ms;
extern int	tg_fenced_writes;
extern int	tg_fold_interval_ms;
extern int	tg_heartbeat_interval_ms;
extern int	tg_journal_max_size_kb;
extern int	tg_journal_retention_s;
extern int	tg_journal_segment_size_kb;
extern int	tg_max_clock_drift_ms;
extern int	tg_minority_writes;
extern int	tg_phi_max_samples;
extern int	tg_phi_min_deviation_ms;
extern int	tg_phi_min_samples;
extern double tg_phi_threshold;
extern int	tg_repair_interval_ms;
extern bool tg_merge_affinity;
extern bool tg_merge_stealing;
extern int	tg_merge_workers;
extern int	tg_retry_interval_ms;
extern double tg_scrub_share;
extern int	tg_synchronous;
extern int	tg_token_grace_ms;
extern int	tg_tombstone_retention_s;

extern void tg_guc_define(void);

#endif							/* TG_BASE_GUC_H */
