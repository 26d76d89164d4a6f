/*-------------------------------------------------------------------------
 *
 * src/transport/key_join.h
 *	  The keys of chosen leaves, here and at a peer, side by side.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_KEY_JOIN_H
#define TG_TRANSPORT_KEY_JOIN_H

#include "bulk/leaf_rows.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/wire_tree.h"
#include "utils/relcache.h"

/* A row as one side has it. */
typedef struct TgKeySide
{
	bool		exists;
	TgStamp		stamp;			/* these two are 0 unless it exists */
	uint64		digest;			/* of the contents, if they were asked for */
} TgKeySide;

/* A key that is not the same on both sides. */
typedef struct TgKeyPair
{
	TgBytes		key;
	TgKeySide	ours;
	TgKeySide	theirs;
} TgKeyPair;

typedef struct TgKeyJoin TgKeyJoin;

extern TgKeyJoin *tg_key_join_open(TgLink *link, const TgMember *peer, Relation rel,
								   TgScanKind kind, const TgLeafSet *leaves);
extern bool tg_key_join_next(TgKeyJoin *join, TgKeyPair *pair);
extern int64 tg_key_join_compared(const TgKeyJoin *join);
extern int64 tg_key_join_bytes(const TgKeyJoin *join);
extern void tg_key_join_close(TgKeyJoin *join);

#endif							/* TG_TRANSPORT_KEY_JOIN_H */
