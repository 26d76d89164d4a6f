/*-------------------------------------------------------------------------
 *
 * src/cluster/detector.c
 *	  Which peers are there, as this node sees it, in shared memory.
 *
 * The pulse worker of a database writes here; whoever wants to know reads.
 * All times are of the monotonic clock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "base/guc.h"
#include "clock/monotonic.h"
#include "cluster/detector.h"
#include "storage/lwlock.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "utils/timestamp.h"

typedef struct DetectorEntry
{
	TgNodeId	node;			/* 0: free */
	TgEpoch		since;			/* of its membership */
	bool		has_called;		/* it should be reached at once */
	TgPhi		phi;
	TgHeartbeat last;
} DetectorEntry;

/* All protected by the lock. */
typedef struct DetectorShared
{
	LWLock	   *lock;
	int64		last_look_ms[TG_MAX_DATABASES]; /* 0: none yet */
	DetectorEntry entries[TG_MAX_DATABASES][TG_MAX_PEERS];
} DetectorShared;

static DetectorShared *shared = NULL;

static TgPhiSettings
current_settings(void)
{
	TgPhiSettings settings = {
		.threshold = tg_phi_threshold,
		.interval_ms = tg_heartbeat_interval_ms,
		.min_samples = tg_phi_min_samples,
		.max_samples = tg_phi_max_samples,
		.min_deviation_ms = tg_phi_min_deviation_ms,
		.confirmation_ms = tg_confirmation_timeout_ms
	};

	return settings;
}

/*
 * The entries of our database, with the lock.
 */
static DetectorEntry *
lock_entries(LWLockMode mode)
{
	int			slot = tg_database_slot();	/* may fail, so before the lock */

	LWLockAcquire(shared->lock, mode);
	return shared->entries[slot];
}

static void
unlock_entries(void)
{
	LWLockRelease(shared->lock);
}

static DetectorEntry *
find(DetectorEntry *entries, TgNodeId node)
{
	for (int i = 0; i < TG_MAX_PEERS; i++)
		if (entries[i].node == node)
			return &entries[i];
	return NULL;
}

static bool
is_watched(const DetectorEntry *entry, const List *members, TgNodeId self)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (member->node == entry->node)
			return member->is_active && member->node != self && member->since == entry->since;
	}
	return false;
}

/*
 * Watch the active ones of these members but ourselves, and nobody else.  One
 * that has been away and is back is watched as if it were new: what it was
 * suspected of is over.
 */
void
tg_detector_watch(const List *members, TgNodeId self, int64 now_ms)
{
	DetectorEntry *entries = lock_entries(LW_EXCLUSIVE);
	ListCell   *lc;

	for (int i = 0; i < TG_MAX_PEERS; i++)
		if (entries[i].node != 0 && !is_watched(&entries[i], members, self))
			memset(&entries[i], 0, sizeof(entries[i]));
	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);
		DetectorEntry *entry;

		if (!member->is_active || member->node == self || find(entries, member->node) != NULL)
			continue;
		entry = find(entries, 0);
		if (entry == NULL)
			break;
		entry->node = member->node;
		entry->since = member->since;
		tg_phi_watch(&entry->phi, now_ms);
	}
	unlock_entries();
}

/*
 * This database is no node, whatever was known before.
 */
void
tg_detector_forget(void)
{
	DetectorEntry *entries = lock_entries(LW_EXCLUSIVE);

	memset(entries, 0, TG_MAX_PEERS * sizeof(DetectorEntry));
	shared->last_look_ms[tg_database_slot()] = 0;
	unlock_entries();
}

/*
 * First of all, for a process that comes by once in look_ms: if it has come
 * late, time stood still here, and no peer is to blame.
 */
void
tg_detector_excuse(int64 now_ms, int look_ms)
{
	int			slot = tg_database_slot();
	DetectorEntry *entries = lock_entries(LW_EXCLUSIVE);
	int64		last_ms = shared->last_look_ms[slot];
	int64		pause_ms = last_ms == 0 ? 0 : tg_phi_pause(last_ms, now_ms, look_ms);

	for (int i = 0; pause_ms > 0 && i < TG_MAX_PEERS; i++)
		if (entries[i].node != 0)
			tg_phi_excuse(&entries[i].phi, pause_ms);
	shared->last_look_ms[slot] = now_ms;
	unlock_entries();
}

/*
 * Look for heartbeats that are missing; the number of events.  There must be
 * room for TG_MAX_PEERS.
 */
int
tg_detector_look(int64 now_ms, TgDetectorEvent *events)
{
	TgPhiSettings settings = current_settings();
	DetectorEntry *entries = lock_entries(LW_EXCLUSIVE);
	int			nevents = 0;

	for (int i = 0; i < TG_MAX_PEERS; i++)
	{
		TgPhiEvent	event;

		if (entries[i].node == 0)
			continue;
		event = tg_phi_check(&entries[i].phi, now_ms, &settings);
		if (event != TG_PHI_NOTHING)
			events[nevents++] = (TgDetectorEvent)
		{
			entries[i].node, event
		};
	}
	unlock_entries();
	return nevents;
}

/*
 * A peer that is watched has answered.
 */
TgPhiEvent
tg_detector_heartbeat(TgNodeId node, int64 now_ms, const TgHeartbeat *heartbeat)
{
	TgPhiSettings settings = current_settings();
	DetectorEntry *entry = find(lock_entries(LW_EXCLUSIVE), node);
	TgPhiEvent	event = TG_PHI_NOTHING;

	if (entry != NULL)
	{
		event = tg_phi_heartbeat(&entry->phi, now_ms, &settings);
		entry->last = *heartbeat;
		entry->has_called = false;
	}
	unlock_entries();
	return event;
}

/*
 * What is known of a peer; false if it is not watched.
 */
bool
tg_detector_get(TgNodeId node, TgDetected *detected)
{
	TgPhiSettings settings = current_settings();
	int64		now_ms = tg_monotonic_ms();
	DetectorEntry *entry = find(lock_entries(LW_SHARED), node);

	if (entry != NULL)
		*detected = (TgDetected)
	{
		.node = node,
			.phi = tg_phi_value(&entry->phi, now_ms, &settings),
			.is_suspected = entry->phi.is_suspected,
			.is_confirmed = entry->phi.is_confirmed,
			.suspected_for_ms = entry->phi.is_suspected ? now_ms - entry->phi.suspected_ms : 0,
			.last = entry->last
	};
	unlock_entries();
	return entry != NULL;
}

/*
 * Is this peer suspected now?  Nobody suspects whom he does not watch.
 */
bool
tg_detector_suspects(TgNodeId node)
{
	DetectorEntry *entry = find(lock_entries(LW_SHARED), node);
	bool		is_suspected = entry != NULL && entry->phi.is_suspected;

	unlock_entries();
	return is_suspected;
}

static int
compare_nodes(const void *a, const void *b)
{
	return (int) *(const TgNodeId *) a - (int) *(const TgNodeId *) b;
}

/*
 * Those that are suspected now, ascending; their number, at most TG_MAX_PEERS.
 */
int
tg_detector_suspected(TgNodeId *nodes)
{
	DetectorEntry *entries = lock_entries(LW_SHARED);
	int			n = 0;

	for (int i = 0; i < TG_MAX_PEERS; i++)
		if (entries[i].node != 0 && entries[i].phi.is_suspected)
			nodes[n++] = entries[i].node;
	unlock_entries();
	qsort(nodes, n, sizeof(TgNodeId), compare_nodes);
	return n;
}

/*
 * A peer has reached us.  If we suspect it, or if it is urgent, the pulse
 * worker should try anew to reach it: true if that is news.
 */
bool
tg_detector_call(TgNodeId node, bool is_urgent)
{
	DetectorEntry *entry = find(lock_entries(LW_EXCLUSIVE), node);
	bool		is_news = entry != NULL && (is_urgent || entry->phi.is_suspected) &&
	!entry->has_called;

	if (is_news)
		entry->has_called = true;
	unlock_entries();
	return is_news;
}

/*
 * Has it called since we were asked last?
 */
bool
tg_detector_take_call(TgNodeId node)
{
	DetectorEntry *entry = find(lock_entries(LW_EXCLUSIVE), node);
	bool		has_called = entry != NULL && entry->has_called;

	if (has_called)
		entry->has_called = false;
	unlock_entries();
	return has_called;
}

Size
tg_detector_shmem_size(void)
{
	return sizeof(DetectorShared);
}

void
tg_detector_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun detector")->lock;
}
