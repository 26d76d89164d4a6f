/*-------------------------------------------------------------------------
 *
 * src/base/guc.c
 *	  Settings, in alphabetical order; the README has the same table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "base/guc.h"
#include "utils/guc.h"

int			tg_ack_timeout_ms = 5000;
int			tg_clock_offset_ms = 0;
int			tg_confirmation_timeout_ms = 10 * 1000;
int			tg_conflict_max_size_kb = 64 * 1024;
int			tg_conflict_retention_s = 7 * 24 * 60 * 60;
double		tg_conflict_sample = 1;
int			tg_connect_timeout_ms = 5000;
int			tg_fenced_writes = TG_WRITES_REJECT;
int			tg_fold_interval_ms = 5000;
int			tg_heartbeat_interval_ms = 1000;
int			tg_journal_max_size_kb = 4 * 1024 * 1024;
int			tg_journal_retention_s = 24 * 60 * 60;
int			tg_journal_segment_size_kb = 64 * 1024;
int			tg_max_clock_drift_ms = 60 * 1000;
bool		tg_merge_affinity = true;
bool		tg_merge_stealing = true;
int			tg_merge_workers = 2;
int			tg_minority_writes = TG_WRITES_ALLOW;
int			tg_phi_max_samples = 100;
int			tg_phi_min_deviation_ms = 100;
int			tg_phi_min_samples = 10;
double		tg_phi_threshold = 8;
int			tg_repair_interval_ms = 60 * 1000;
int			tg_retry_interval_ms = 1000;
double		tg_scrub_share = 0.02;
int			tg_synchronous = TG_SYNCHRONOUS_OFF;
int			tg_token_grace_ms = 1000;
int			tg_tombstone_retention_s = 60 * 60;

static const struct config_enum_entry synchronous_options[] = {
	{"off", TG_SYNCHRONOUS_OFF, false},
	{"one", TG_SYNCHRONOUS_ONE, false},
	{"quorum", TG_SYNCHRONOUS_QUORUM, false},
	{"all", TG_SYNCHRONOUS_ALL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry write_options[] = {
	{"allow", TG_WRITES_ALLOW, false},
	{"reject", TG_WRITES_REJECT, false},
	{NULL, 0, false}
};

/*
 * Make the settings known.  Call once, from _PG_init().
 */
void
tg_guc_define(void)
{
	DefineCustomIntVariable("topgun.ack_timeout",
							"A commit that waits for other members waits no longer than this.",
							"Zero lets it wait without end.",
							&tg_ack_timeout_ms,
							5000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.clock_offset",
							"Adds to what the wall clock says, to try clock faults.",
							NULL,
							&tg_clock_offset_ms,
							0, -INT_MAX, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS | GUC_NOT_IN_SAMPLE,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.confirmation_timeout",
							"Takes a peer for failed that has been suspected for so long.",
							NULL,
							&tg_confirmation_timeout_ms,
							10 * 1000, 100, 24 * 60 * 60 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.conflict_max_size",
							"Keeps no more than this of conflicts in topgun.conflict.",
							"The oldest go first.",
							&tg_conflict_max_size_kb,
							64 * 1024, 256, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.conflict_retention",
							"Keeps conflicts in topgun.conflict for this long, and at most half as long again.",
							NULL,
							&tg_conflict_retention_s,
							7 * 24 * 60 * 60, 1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomRealVariable("topgun.conflict_sample",
							 "Keeps this share of all conflicts in topgun.conflict, both rows of each.",
							 "All are counted, whatever is kept.",
							 &tg_conflict_sample,
							 1, 0, 1,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.connect_timeout",
							"Gives up a connection or an answer that takes longer than this.",
							NULL,
							&tg_connect_timeout_ms,
							5000, 100, 10 * 60 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("topgun.fenced_writes",
							 "Says what becomes of writes on a node that is not in the cluster's view.",
							 NULL,
							 &tg_fenced_writes,
							 TG_WRITES_REJECT, write_options,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.fold_interval",
							"Brings the Merkle trees up to the journal this often.",
							NULL,
							&tg_fold_interval_ms,
							5000, 10, 60 * 60 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.heartbeat_interval",
							"Sends a heartbeat to each peer this often.",
							NULL,
							&tg_heartbeat_interval_ms,
							1000, 50, 60 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.journal_max_size",
							"Cuts the journal when it is larger than this, even while a peer is away.",
							"A peer that is behind the cut comes back by difference.",
							&tg_journal_max_size_kb,
							4 * 1024 * 1024, 256, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.journal_retention",
							"Cuts what is older than this from the journal, even while a peer is away.",
							"A peer that is behind the cut comes back by difference.",
							&tg_journal_retention_s,
							24 * 60 * 60, 1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.journal_segment_size",
							"Starts a new journal segment when one has grown beyond this.",
							NULL,
							&tg_journal_segment_size_kb,
							64 * 1024, 64, INT_MAX / 2,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.max_clock_drift",
							"Refuses stamps that are further ahead of the wall clock than this.",
							NULL,
							&tg_max_clock_drift_ms,
							60 * 1000, 100, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("topgun.merge_affinity",
							 "Gives each bulk worker its own part of the key space.",
							 NULL,
							 &tg_merge_affinity,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomBoolVariable("topgun.merge_stealing",
							 "Lets a bulk worker that has nothing to do take work from others.",
							 NULL,
							 &tg_merge_stealing,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.merge_workers",
							"Shares the work of a bulk job among so many workers.",
							"With 0 the session does it itself.",
							&tg_merge_workers,
							2, 0, 64,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("topgun.minority_writes",
							 "Says what becomes of writes on a node that does not hear of a majority.",
							 NULL,
							 &tg_minority_writes,
							 TG_WRITES_ALLOW, write_options,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.phi_max_samples",
							"Judges a peer by so many of its last heartbeats.",
							NULL,
							&tg_phi_max_samples,
							100, 2, 256,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.phi_min_deviation",
							"Takes heartbeats for no more regular than this.",
							NULL,
							&tg_phi_min_deviation_ms,
							100, 1, 60 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.phi_min_samples",
							"Judges a peer by topgun.heartbeat_interval until so many heartbeats have come.",
							NULL,
							&tg_phi_min_samples,
							10, 2, 256,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomRealVariable("topgun.phi_threshold",
							 "Suspects a peer from this phi on.",
							 "With 8, one suspicion in 100 million heartbeats is wrong.",
							 &tg_phi_threshold,
							 8, 1, 50,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.repair_interval",
							"Compares the tables with those of the peers this often.",
							"Zero turns comparison and scrubbing off.",
							&tg_repair_interval_ms,
							60 * 1000, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.retry_interval",
							"Waits this long before it tries again what has failed.",
							NULL,
							&tg_retry_interval_ms,
							1000, 10, 10 * 60 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomRealVariable("topgun.scrub_share",
							 "Derives this share of the Merkle trees anew from the rows in each repair interval.",
							 NULL,
							 &tg_scrub_share,
							 0.02, 0, 1,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomEnumVariable("topgun.synchronous",
							 "A commit waits until so many other members have it durably.",
							 NULL,
							 &tg_synchronous,
							 TG_SYNCHRONOUS_OFF, synchronous_options,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.token_grace",
							"Lets tokens of the epoch before count for this long.",
							NULL,
							&tg_token_grace_ms,
							1000, 0, 60 * 60 * 1000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("topgun.tombstone_retention",
							"Keeps the tombstones of deleted rows at least this long.",
							NULL,
							&tg_tombstone_retention_s,
							60 * 60, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("topgun");
}
