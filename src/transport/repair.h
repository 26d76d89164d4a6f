/*-------------------------------------------------------------------------
 *
 * src/transport/repair.h
 *	  Making the rows of chosen leaves the same here and at a peer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_REPAIR_H
#define TG_TRANSPORT_REPAIR_H

#include "bulk/leaf_rows.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/wire_tree.h"

/* What became of a key that differed. */
typedef struct TgRepairedKey
{
	TgBytes		key;
	TgStamp		our_stamp;		/* of our row or tombstone; 0: none */
	TgStamp		their_stamp;
	TgVersionKind sent_here;	/* their version was newer */
	TgVersionKind sent_there;	/* ours was */
} TgRepairedKey;

typedef struct TgRepairCounts
{
	int64		compared;		/* keys */
	int64		differing;
	int64		fetched;		/* rows that came */
	int64		pushed;			/* rows that went */
	int64		deleted_here;
	int64		deleted_there;
	int64		applied_here;	/* changes that have replaced something */
	int64		applied_there;
	int64		quarantined;	/* here and there */
	int64		bytes;			/* sent and received */
} TgRepairCounts;

typedef struct TgRepair
{
	TgLink	   *link;
	const TgMember *peer;
	TgTableId	table;
	const TgLeafSet *leaves;
	bool		dry_run;		/* change nothing */
	bool		returning;		/* we may have what was long deleted there */
	TgStamp		known;			/* when returning: not if it was deleted up to
								 * here */
	void		(*report) (void *arg, const TgRepairedKey *key);	/* or NULL */
	void	   *report_arg;
	TgRepairCounts counts;		/* filled in */
} TgRepair;

extern void tg_repair(TgRepair *repair);

#endif							/* TG_TRANSPORT_REPAIR_H */
