/*-------------------------------------------------------------------------
 *
 * src/cluster/pulse_links.c
 *	  The links over which the pulse worker reaches all peers at once.
 *
 * No peer is waited for: each pass looks how far every link is, takes the
 * answers that are there and sends the pulses that are due.  A link has one
 * request under way at most.  One that gets nowhere for topgun.connect_timeout
 * is closed and opened again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "base/guc.h"
#include "clock/hlc.h"
#include "cluster/pulse.h"
#include "cluster/pulse_links.h"
#include "portability/instr_time.h"
#include "transport/member.h"
#include "utils/memutils.h"

static void
close_link(TgPulseLink *peer, int64 now_ms)
{
	if (peer->link == NULL)
		return;
	MemoryContextDelete(peer->link_context);
	peer->link = NULL;
	peer->due_ms = Max(peer->due_ms, now_ms + tg_heartbeat_interval_ms);
}

static void
remove_peer(TgPulseLinks *links, int i)
{
	MemoryContextDelete(links->links[i].context);
	links->nlinks--;
	memmove(&links->links[i], &links->links[i + 1],
			(links->nlinks - i) * sizeof(TgPulseLink));
}

static TgMember *
find_peer(const List *members, TgNodeId self, const TgPulseLink *peer)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (member->node == peer->node && member->is_active && member->node != self &&
			strcmp(member->dsn, peer->dsn) == 0)
			return member;
	}
	return NULL;
}

static bool
has_peer(const TgPulseLinks *links, TgNodeId node)
{
	for (int i = 0; i < links->nlinks; i++)
		if (links->links[i].node == node)
			return true;
	return false;
}

static void
add_peer(TgPulseLinks *links, const TgMember *member)
{
	TgPulseLink *peer = &links->links[links->nlinks++];
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "topgun pulse link",
												  ALLOCSET_SMALL_SIZES);

	memset(peer, 0, sizeof(*peer));
	peer->node = member->node;
	peer->context = context;
	peer->name = MemoryContextStrdup(context, member->name);
	peer->dsn = MemoryContextStrdup(context, member->dsn);
}

/*
 * Have a link to each active member but ourselves, and to nobody else.
 */
void
tg_pulse_links_set(TgPulseLinks *links, const List *members)
{
	ListCell   *lc;

	for (int i = links->nlinks - 1; i >= 0; i--)
		if (find_peer(members, links->own.sender, &links->links[i]) == NULL)
			remove_peer(links, i);
	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active && member->node != links->own.sender &&
			!has_peer(links, member->node) && links->nlinks < TG_MAX_PEERS)
			add_peer(links, member);
	}
}

static void
open_link(TgPulseLink *peer, int64 now_ms)
{
	MemoryContext old;

	peer->link_context = AllocSetContextCreate(peer->context, "topgun link", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(peer->link_context);
	peer->link = tg_link_start(peer->dsn, peer->name);
	MemoryContextSwitchTo(old);
	peer->begun_ms = now_ms;
}

/*
 * Send our pulse.  The next one is due an interval after this one was.
 */
static void
send_pulse(TgPulseLinks *links, TgPulseLink *peer, int64 now_ms)
{
	StringInfoData buf;
	TgLinkParam param;

	tg_pulse_refresh(&links->own);
	initStringInfo(&buf);
	tg_wire_write_pulse(&buf, &links->own);
	param = (TgLinkParam)
	{
		buf.data, buf.len, true
	};

	peer->begun_ms = now_ms;
	peer->due_ms = Max(peer->due_ms + tg_heartbeat_interval_ms, now_ms + tg_heartbeat_interval_ms / 2);
	peer->times.epoch = links->own.epoch;
	peer->times.sent_ms = now_ms;
	peer->times.sent_wall_us = links->own.wall_us;
	peer->times.sent_clock_us = (int64) tg_stamp_ms(links->own.clock) * 1000;
	INSTR_TIME_SET_CURRENT(peer->sent);
	tg_link_begin(peer->link, "SELECT topgun_internal.pulse($1)", 1, &param);
	pfree(buf.data);
}

/*
 * Make of an answer what there is in it.  Whoever is no member any more, or
 * another than he should be, is not heard.
 */
static TgPhiEvent
take_answer(TgPulseLink *peer)
{
	TgPulse		answer;
	TgReader	reader;
	TgBytes		bytes;
	instr_time	round_trip;
	int			sqlstate;

	INSTR_TIME_SET_CURRENT(round_trip);
	INSTR_TIME_SUBTRACT(round_trip, peer->sent);
	if (!tg_link_take_answer(peer->link, &bytes))
	{
		const char *error = tg_link_error(peer->link, &sqlstate);

		if (sqlstate == ERRCODE_TG_FENCED)
			tg_pulse_refused(peer->name, error, peer->times.epoch);
		ereport(DEBUG1,
				(errmsg_internal("node \"%s\" answers a pulse with %s: %s", peer->name,
								 unpack_sql_state(sqlstate), error)));
		return TG_PHI_NOTHING;
	}

	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_wire_read_pulse(&reader, &answer) || answer.sender != peer->node)
	{
		ereport(DEBUG1,
				(errmsg_internal("node \"%s\" answers a pulse with something else", peer->name)));
		return TG_PHI_NOTHING;
	}
	peer->times.round_trip_us = (int64) INSTR_TIME_GET_MICROSEC(round_trip);
	return tg_pulse_heard(&answer, &peer->times);
}

/*
 * See to one link; what has happened to the peer.
 */
static TgPhiEvent
run_link(TgPulseLinks *links, TgPulseLink *peer, int64 now_ms)
{
	TgPhiEvent	event = TG_PHI_NOTHING;

	/* it has reached us: what we try without success may be stuck */
	if (tg_detector_take_call(peer->node))
	{
		close_link(peer, now_ms);
		peer->due_ms = now_ms;
	}

	if (peer->link == NULL && now_ms >= peer->due_ms)
		open_link(peer, now_ms);
	if (peer->link == NULL)
		return event;

	switch (tg_link_poll(peer->link))
	{
		case TG_LINK_ANSWERED:
			event = take_answer(peer);
			break;
		case TG_LINK_IDLE:
			if (now_ms >= peer->due_ms)
				send_pulse(links, peer, now_ms);
			break;
		case TG_LINK_CONNECTING:
		case TG_LINK_BUSY:
			if (now_ms - peer->begun_ms > Max(tg_connect_timeout_ms, tg_heartbeat_interval_ms))
				close_link(peer, now_ms);
			break;
		case TG_LINK_BROKEN:
			close_link(peer, now_ms);
			break;
	}
	return event;
}

/*
 * See to all links; the number of events.  There must be room for
 * TG_MAX_PEERS.
 */
int
tg_pulse_links_run(TgPulseLinks *links, int64 now_ms, TgDetectorEvent *events)
{
	int			nevents = 0;

	for (int i = 0; i < links->nlinks; i++)
	{
		TgPulseLink *peer = &links->links[i];
		TgPhiEvent	event = run_link(links, peer, now_ms);

		if (event != TG_PHI_NOTHING)
			events[nevents++] = (TgDetectorEvent)
		{
			peer->node, event
		};
	}
	return nevents;
}

/*
 * Wait until there is something to do, at most so long.  True if the latch was
 * set.
 */
bool
tg_pulse_links_wait(TgPulseLinks *links, long timeout_ms)
{
	TgLink	   *all[TG_MAX_PEERS];

	for (int i = 0; i < links->nlinks; i++)
		all[i] = links->links[i].link;
	return tg_link_wait_any(all, links->nlinks, timeout_ms);
}

/*
 * What a peer is called.
 */
const char *
tg_pulse_links_name(const TgPulseLinks *links, TgNodeId node)
{
	for (int i = 0; i < links->nlinks; i++)
		if (links->links[i].node == node)
			return links->links[i].name;
	return "?";
}
