/*-------------------------------------------------------------------------
 *
 * src/cluster/cut.c
 *	  How much of the journal is kept for peers that have not read it.
 *
 * What the trees and all active peers have can go.  What they do not have
 * stays within limits of size and age; who is behind them comes back by
 * difference.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/guc.h"
#include "clock/hlc.h"
#include "clock/identity.h"
#include "clock/node_clock.h"
#include "cluster/cut.h"
#include "journal/fold.h"
#include "journal/segment.h"
#include "lib/stringinfo.h"
#include "transport/member.h"
#include "transport/peer.h"
#include "utils/snapmgr.h"

/*
 * Up to which position a peer has read our journal, for sure; 0 if it has not
 * told us since our start.
 */
static TgPosition
read_by(TgNodeId node)
{
	TgPeer		peer;

	if (!tg_peer_get(node, &peer) || peer.acknowledged.position == 0)
		return 0;
	return peer.acknowledged.part == TG_WHOLE_POSITION ?
		peer.acknowledged.position : peer.acknowledged.position - 1;
}

static bool
is_peer(const TgMember *member, TgNodeId self)
{
	return member->is_active && member->node != self;
}

static TgPosition
read_by_all(List *members, TgNodeId self)
{
	TgPosition	read = PG_UINT64_MAX;
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (is_peer(member, self))
			read = Min(read, read_by(member->node));
	}
	return read;
}

/*
 * The position that was taken this long ago.
 */
static TgPosition
position_before(uint64 ms)
{
	uint64		now_ms = tg_clock_wall_ms();

	return now_ms <= ms ? 0 : tg_stamp_make(now_ms - ms, 0, 0);
}

/*
 * Say which peers have not read what has just been cut; of each once, until it
 * has come back.
 */
static void
report_left_behind(List *members, TgNodeId self, TgPosition cut)
{
	static bool is_reported[TG_MAX_NODE + 1];
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (!is_peer(member, self) || read_by(member->node) >= Max(cut, tg_segment_cut()))
			is_reported[member->node] = false;
		else if (cut > 0 && !is_reported[member->node])
		{
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", member->name);
			is_reported[member->node] = true;
		}
	}
	if (names.len > 0)
		ereport(LOG,
				(errmsg("the journal was cut before it was read by %s", names.data),
				 errdetail("It has reached topgun.journal_max_size or topgun.journal_retention."),
				 errhint("What is missing there comes by difference.")));
}

/*
 * One step of the journal's rotation, in a transaction of its own; true if
 * something was done.
 */
bool
tg_cut_journal(void)
{
	TgNodeId	self = tg_node_id();
	List	   *members = tg_members();
	uint64		retention_ms = (uint64) tg_journal_retention_s * 1000;
	TgCutRule	rule = {
		.folded = tg_fold_position(GetActiveSnapshot()),
		.read_by_all = read_by_all(members, self),
		.expired = position_before(retention_ms),
		.aged = position_before(retention_ms / TG_JOURNAL_SEGMENTS),
		.max_bytes = (int64) tg_journal_max_size_kb * 1024
	};
	TgPosition	cut;
	bool		done = tg_segment_rotate(&rule, &cut);

	report_left_behind(members, self, cut);
	return done;
}
