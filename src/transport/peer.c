/*-------------------------------------------------------------------------
 *
 * src/transport/peer.c
 *	  What this node knows of each peer, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "base/error.h"
#include "storage/lwlock.h"
#include "transport/peer.h"
#include "utils/timestamp.h"

typedef struct PeerShared
{
	LWLock	   *lock;			/* protects the rest */
	TgPeer		peers[TG_MAX_DATABASES][TG_MAX_PEERS];
} PeerShared;

static PeerShared *shared = NULL;

/*
 * The entry of a node, NULL if it has none.  Lock held.
 */
static TgPeer *
find(TgNodeId node)
{
	TgPeer	   *peers = shared->peers[tg_database_slot()];

	Assert(LWLockHeldByMe(shared->lock));
	for (int i = 0; i < TG_MAX_PEERS; i++)
		if (peers[i].node == node)
			return &peers[i];
	return NULL;
}

/*
 * Lock, and find or make the entry of a node.  On success the caller releases
 * the lock.
 */
static TgPeer *
lock_entry(TgNodeId node)
{
	TgPeer	   *peer;

	Assert(node != 0);
	(void) tg_database_slot();	/* may fail, so before the lock */
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	peer = find(node);
	if (peer == NULL)
	{
		peer = find(0);
		if (peer != NULL)
		{
			memset(peer, 0, sizeof(*peer));
			peer->node = node;
		}
	}
	if (peer == NULL)
	{
		LWLockRelease(shared->lock);
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many peers"),
				 errdetail("A node can have at most %d.", TG_MAX_PEERS)));
	}
	return peer;
}

/*
 * The link to a peer has changed; an error, which may be NULL, is kept.
 */
void
tg_peer_set_state(TgNodeId node, TgPeerState state, const char *error)
{
	TimestampTz now = GetCurrentTimestamp();
	TgPeer	   *peer = lock_entry(node);

	peer->state = state;
	if (state == TG_PEER_STREAMING)
		peer->retries = 0;
	if (error != NULL)
	{
		peer->retries++;
		strlcpy(peer->error, error, sizeof(peer->error));
		peer->last_failure = now;
		peer->failures++;
	}
	LWLockRelease(shared->lock);
}

/*
 * The peer runs on this server, and has this version of topgun.
 */
void
tg_peer_set_versions(TgNodeId node, int server_version, const char *version)
{
	TgPeer	   *peer = lock_entry(node);

	peer->server_version = server_version;
	strlcpy(peer->version, version, sizeof(peer->version));
	LWLockRelease(shared->lock);
}

/*
 * The peer has said how much of our journal it has durably merged, with all
 * its tables in step or not, and what of everybody's.  It may be less than
 * what it has said before: a peer that was restored from a backup has less.
 * The result is the position up to which it has everything of ours.
 */
TgPosition
tg_peer_set_acknowledged(TgNodeId node, TgCursor cursor, bool in_step, TgStamp settled)
{
	TgPosition	whole = tg_cursor_has(cursor, cursor.position) ? cursor.position :
	Max(cursor.position, 1) - 1;
	TgPeer	   *peer = lock_entry(node);
	TgPosition	confirmed = in_step ? whole : Min(peer->confirmed, whole);

	peer->acknowledged = cursor;
	peer->confirmed = confirmed;
	peer->settled = settled;
	LWLockRelease(shared->lock);
	return confirmed;
}

/*
 * We have merged the peer's journal up to the cursor, and can see it.
 */
void
tg_peer_set_merged(TgNodeId node, TgCursor cursor, TgPosition last_position, bool gave_back)
{
	TimestampTz now = GetCurrentTimestamp();
	TgPeer	   *peer = lock_entry(node);

	peer->cursor = cursor;
	peer->last_position = last_position;
	peer->last_answer = now;
	peer->gave_back |= gave_back;
	peer->answers++;
	LWLockRelease(shared->lock);
}

/*
 * Add to the counters of a peer.
 */
void
tg_peer_add_counts(TgNodeId node, const TgMergeCounts *counts, int64 bytes)
{
	TgPeer	   *peer = lock_entry(node);

	tg_counts_add(&peer->counts, counts);
	peer->bytes += bytes;
	LWLockRelease(shared->lock);
}

/*
 * The node is no longer a peer.
 */
void
tg_peer_forget(TgNodeId node)
{
	TgPeer	   *peer = lock_entry(node);

	peer->node = 0;
	LWLockRelease(shared->lock);
}

/*
 * The view has changed: what peers have said of what is settled was said of
 * the members before.
 */
void
tg_peer_forget_settled(void)
{
	TgPeer	   *peers = shared->peers[tg_database_slot()];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < TG_MAX_PEERS; i++)
		peers[i].settled = TG_NO_STAMP;
	LWLockRelease(shared->lock);
}

/*
 * The counters of all peers begin anew; what went wrong last stays known.
 */
void
tg_peer_reset(void)
{
	TgPeer	   *peers = shared->peers[tg_database_slot()];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < TG_MAX_PEERS; i++)
	{
		memset(&peers[i].counts, 0, sizeof(peers[i].counts));
		peers[i].bytes = 0;
		peers[i].answers = 0;
		peers[i].failures = 0;
	}
	LWLockRelease(shared->lock);
}

/*
 * A copy of what is known of a peer; false if nothing is.
 */
bool
tg_peer_get(TgNodeId node, TgPeer *peer)
{
	TgPeer	   *entry;

	(void) tg_database_slot();
	LWLockAcquire(shared->lock, LW_SHARED);
	entry = find(node);
	if (entry != NULL)
		*peer = *entry;
	LWLockRelease(shared->lock);
	return entry != NULL;
}

/*
 * The state as topgun.stat_peer shows it.
 */
const char *
tg_peer_state_name(TgPeerState state)
{
	switch (state)
	{
		case TG_PEER_DOWN:
			return "down";
		case TG_PEER_CONNECTING:
			return "connecting";
		case TG_PEER_STREAMING:
			return "streaming";
		case TG_PEER_CLOCK:
			return "clock";
		case TG_PEER_REFUSED:
			return "refused";
		case TG_PEER_CUT:
			return "journal cut";
		case TG_PEER_RETURNING:
			return "returning";
	}
	return "?";
}

Size
tg_peer_shmem_size(void)
{
	return sizeof(PeerShared);
}

void
tg_peer_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun peer")->lock;
}
