/*-------------------------------------------------------------------------
 *
 * src/transport/compare.h
 *	  Comparing the tree of a table with that of a peer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_COMPARE_H
#define TG_TRANSPORT_COMPARE_H

#include "transport/link.h"
#include "transport/member.h"
#include "transport/wire_tree.h"

/* A leaf that is not the same here and there. */
typedef struct TgLeafDifference
{
	uint32		leaf;
	TgLeafDigest ours;
	TgLeafDigest theirs;
} TgLeafDifference;

/* What one look at both trees has shown. */
typedef struct TgLook
{
	TgTableId	table;
	TgPosition	our_position;	/* newest in our tree */
	TgPosition	their_position; /* newest in theirs */
	TgCursor	we_merged;		/* of their journal, all of it in our tree */
	TgCursor	they_merged;	/* of ours, all of it in theirs */
	TgTableStatus their_status;
	uint64		our_root;
	uint64		their_root;
	int64		bytes;			/* that were sent and received */
	int			ndifferences;
	TgLeafDifference *differences;	/* by leaf */
} TgLook;

extern int64 tg_tree_send(TgLink *link, const TgTreeRequest *request);
extern int64 tg_tree_receive(TgLink *link, const TgMember *peer, const TgTreeRequest *request,
							 TgTreeAnswer *answer);
extern int64 tg_tree_ask(TgLink *link, const TgMember *peer, const TgTreeRequest *request,
						 TgTreeAnswer *answer);
extern TgLook *tg_look(TgLink *link, const TgMember *peer, TgTableId table);
extern bool tg_look_is_settled(const TgLook *first, const TgLook *second);
extern TgLook *tg_look_suspects(const TgLook *first, const TgLook *second);
extern void tg_look_leaves(const TgLook *look, TgLeafSet *leaves);
extern void tg_wait_until_read(TgLink *link, const TgMember *peer, TgPosition ours,
							   TgPosition theirs);
extern TgLook *tg_compare(TgLink *link, const TgMember *peer, TgTableId table);

#endif							/* TG_TRANSPORT_COMPARE_H */
