/*-------------------------------------------------------------------------
 *
 * src/topgun.c
 *	  Where the library starts: settings, shared memory, hooks, launcher.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/database.h"
#include "base/failpoint.h"
#include "base/guc.h"
#include "base/shmem.h"
#include "base/wait.h"
#include "bulk/scrub.h"
#include "bulk/job.h"
#include "bulk/progress.h"
#include "capture/capture.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/candidate.h"
#include "cluster/commit_wait.h"
#include "cluster/detector.h"
#include "fmgr.h"
#include "journal/append.h"
#include "journal/inflight.h"
#include "journal/mark.h"
#include "journal/segment.h"
#include "merge/conflict_log.h"
#include "merge/quarantine.h"
#include "merge/stat.h"
#include "miscadmin.h"
#include "row/gc_floor.h"
#include "row/sweep.h"
#include "row/tombstone.h"
#include "transport/accepted.h"
#include "transport/ack.h"
#include "transport/difference.h"
#include "transport/gate.h"
#include "transport/incarnation.h"
#include "transport/peer.h"
#include "transport/table_stat.h"
#include "transport/view_store.h"
#include "worker/dropdb.h"
#include "worker/launcher.h"
#include "worker/roster.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static const TgShmemItem shmem_items[] = {
	{"topgun database", tg_database_shmem_size, tg_database_shmem_attach, 0},
	{"topgun failpoint", tg_failpoint_shmem_size, tg_failpoint_shmem_attach, 1},
	{"topgun wait", tg_wait_shmem_size, tg_wait_shmem_attach, 0},
	{"topgun clock", tg_clock_shmem_size, tg_clock_shmem_attach, 1},
	{"topgun epoch", tg_epoch_shmem_size, tg_epoch_shmem_attach, 0},
	{"topgun identity", tg_identity_shmem_size, tg_identity_shmem_attach, 0},
	{"topgun inflight", tg_inflight_shmem_size, tg_inflight_shmem_attach, 0},
	{"topgun mark", tg_mark_shmem_size, tg_mark_shmem_attach, 0},
	{"topgun segment", tg_segment_shmem_size, tg_segment_shmem_attach, 0},
	{"topgun tombstone", tg_tombstone_shmem_size, tg_tombstone_shmem_attach, 0},
	{"topgun gc floor", tg_gc_floor_shmem_size, tg_gc_floor_shmem_attach, 0},
	{"topgun sweep", tg_sweep_shmem_size, tg_sweep_shmem_attach, 1},
	{"topgun quarantine", tg_quarantine_shmem_size, tg_quarantine_shmem_attach, 0},
	{"topgun conflict", tg_conflict_shmem_size, tg_conflict_shmem_attach, 0},
	{"topgun merge stat", tg_merge_stat_shmem_size, tg_merge_stat_shmem_attach, 1},
	{"topgun ack", tg_ack_shmem_size, tg_ack_shmem_attach, 0},
	{"topgun peer", tg_peer_shmem_size, tg_peer_shmem_attach, 1},
	{"topgun accepted", tg_accepted_shmem_size, tg_accepted_shmem_attach, 1},
	{"topgun incarnation", tg_incarnation_shmem_size, tg_incarnation_shmem_attach, 0},
	{"topgun detector", tg_detector_shmem_size, tg_detector_shmem_attach, 1},
	{"topgun candidate", tg_candidate_shmem_size, tg_candidate_shmem_attach, 0},
	{"topgun table stat", tg_table_stat_shmem_size, tg_table_stat_shmem_attach, 1},
	{"topgun difference", tg_difference_shmem_size, tg_difference_shmem_attach, 1},
	{"topgun scrub", tg_scrub_shmem_size, tg_scrub_shmem_attach, 1},
	{"topgun pool", tg_pool_shmem_size, tg_pool_shmem_attach, 1},
	{"topgun progress", tg_progress_shmem_size, tg_progress_shmem_attach, 1},
	{"topgun roster", tg_roster_shmem_size, tg_roster_shmem_attach, 1},
};

/*
 * Without shared_preload_libraries only the type works: there is no clock, and
 * whatever needs one says so.
 */
void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;

	tg_guc_define();
	tg_shmem_install(shmem_items, lengthof(shmem_items));
	tg_catalog_install();
	tg_identity_install();
	tg_view_store_install();
	tg_gate_install();
	tg_journal_install();
	tg_commit_wait_install();
	tg_capture_install();
	tg_dropdb_install();
	if (!IsBinaryUpgrade)
		tg_launcher_register();
}
