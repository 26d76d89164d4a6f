/*-------------------------------------------------------------------------
 *
 * src/transport/peer.h
 *	  What this node knows of each peer, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_PEER_H
#define TG_TRANSPORT_PEER_H

#include "base/types.h"
#include "datatype/timestamp.h"
#include "merge/session.h"

#define TG_MAX_PEERS			64	/* of one node */
#define TG_PEER_TEXT			256
#define TG_PEER_VERSION			32

/* Each state lists those that may follow. */
typedef enum TgPeerState
{
	TG_PEER_DOWN,				/* CONNECTING */
	TG_PEER_CONNECTING,			/* STREAMING, RETURNING, DOWN */
	TG_PEER_STREAMING,			/* DOWN, CLOCK, REFUSED, CUT */
	TG_PEER_CLOCK,				/* a stamp too far ahead; DOWN */
	TG_PEER_REFUSED,			/* the peer does not know us; DOWN */
	TG_PEER_CUT,				/* its journal no longer reaches back; DOWN,
								 * CONNECTING */
	TG_PEER_RETURNING			/* finding out what we lack; STREAMING, DOWN */
} TgPeerState;

/* All protected by the lock "topgun peer". */
typedef struct TgPeer
{
	TgNodeId	node;			/* 0: free */
	TgPeerState state;
	TgCursor	cursor;			/* merged of its journal, visible here */
	TgCursor	acknowledged;	/* of our journal, durably merged there */
	TgPosition	confirmed;		/* the same, with no table left out */
	TgStamp		settled;		/* everybody's writes up to it are durably
								 * merged there; TG_NO_STAMP: not known */
	TgPosition	last_position;	/* newest in its journal that we know of */
	bool		gave_back;		/* has answered fully since our start */
	TgMergeCounts counts;
	int64		bytes;			/* of its answers */
	int64		answers;
	int64		failures;
	int64		retries;		/* failures since it last answered */
	int			server_version; /* as libpq has it; 0: not known */
	char		version[TG_PEER_VERSION];	/* of topgun there; empty: not
											 * known */
	TimestampTz last_answer;	/* 0: never */
	TimestampTz last_failure;
	char		error[TG_PEER_TEXT];
} TgPeer;

extern void tg_peer_set_state(TgNodeId node, TgPeerState state, const char *error);
extern TgPosition tg_peer_set_acknowledged(TgNodeId node, TgCursor cursor, bool in_step,
										   TgStamp settled);
extern void tg_peer_set_merged(TgNodeId node, TgCursor cursor, TgPosition last_position, bool gave_back);
extern void tg_peer_add_counts(TgNodeId node, const TgMergeCounts *counts, int64 bytes);
extern void tg_peer_set_versions(TgNodeId node, int server_version, const char *version);
extern void tg_peer_reset(void);
extern void tg_peer_forget(TgNodeId node);
extern void tg_peer_forget_settled(void);
extern bool tg_peer_get(TgNodeId node, TgPeer *peer);
extern const char *tg_peer_state_name(TgPeerState state);

extern Size tg_peer_shmem_size(void);
extern void tg_peer_shmem_attach(void *ptr, bool found);

#endif							/* TG_TRANSPORT_PEER_H */
