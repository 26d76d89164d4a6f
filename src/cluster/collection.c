/*-------------------------------------------------------------------------
 *
 * src/cluster/collection.c
 *	  Collecting the tombstones that nobody needs any more.
 *
 * A tombstone keeps rows that are older from coming in.  It can go when all
 * that is older than it has arrived everywhere, so
 *	- it is settled at every active member, as far as we have been told since
 *	  our start;
 *	- it has been verified here, and all that are older, too;
 *	- no version of its key waits in quarantine: to be merged one day, it must
 *	  not meet a key that nothing is known of;
 *	- it is as old as topgun.tombstone_retention asks.
 * What is under way all the same, meets the floor, see row/gc_floor.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/collection.h"
#include "merge/kept.h"
#include "merge/unverified.h"
#include "row/sweep.h"
#include "transport/settled.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define SWEEP_MS		10000	/* how often to look, if the retention is not
								 * shorter */

static bool
is_due(TimestampTz last)
{
	int64		interval_ms = Min(SWEEP_MS, (int64) tg_tombstone_retention_s * 1000);

	return TimestampDifferenceExceeds(last, GetCurrentTimestamp(), interval_ms);
}

/*
 * The greatest stamp that is older than the retention.
 */
static TgStamp
retention_bound(void)
{
	uint64		now_ms = tg_clock_wall_ms();
	uint64		kept_ms = (uint64) tg_tombstone_retention_s * 1000;

	return now_ms <= kept_ms ? TG_NO_STAMP : tg_stamp_make(now_ms - kept_ms, 0, 0);
}

/*
 * Up to which stamp tombstones may go; TG_NO_STAMP if none may.
 */
static TgStamp
collection_bound(TgNodeId self, Snapshot snapshot)
{
	TgStamp		unverified = tg_unverified_oldest(snapshot);
	TgStamp		bound = Min(tg_settled_everywhere(self), retention_bound());

	return unverified == TG_NO_STAMP ? bound : Min(bound, unverified - 1);
}

/*
 * One step of the collection, in a transaction of its own; true if there is
 * more to do at once.
 */
bool
tg_collect_tombstones(void)
{
	static TgSweep sweep;
	static TimestampTz last = 0;
	TgNodeId	self = tg_node_id();
	Snapshot	snapshot = GetActiveSnapshot();
	TgKeptKeys	kept;
	bool		more;

	if (self == 0 || (sweep.next == 0 && !is_due(last)))
		return false;

	kept = tg_kept_keys();
	more = tg_sweep_step(&sweep, collection_bound(self, snapshot), &kept, snapshot);
	last = GetCurrentTimestamp();
	return more;
}
