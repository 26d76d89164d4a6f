/*-------------------------------------------------------------------------
 *
 * src/cluster/pulse_links.h
 *	  The links over which the pulse worker reaches all peers at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_PULSE_LINKS_H
#define TG_CLUSTER_PULSE_LINKS_H

#include "cluster/detector.h"
#include "cluster/pulse.h"
#include "portability/instr_time.h"
#include "transport/link.h"
#include "transport/peer.h"

/* The link to one peer, which may be down. */
typedef struct TgPulseLink
{
	TgNodeId	node;
	char	   *name;			/* name and dsn live in the context */
	char	   *dsn;
	MemoryContext context;
	MemoryContext link_context; /* child of it; deleted, it closes the link */
	TgLink	   *link;			/* NULL: down */
	int64		begun_ms;		/* connecting, or waiting for an answer, since */
	int64		due_ms;			/* when to send, or to connect */
	instr_time	sent;
	TgPulseTimes times;
} TgPulseLink;

typedef struct TgPulseLinks
{
	int			nlinks;
	TgPulseLink links[TG_MAX_PEERS];
	TgPulse		own;			/* what we say */
} TgPulseLinks;

extern void tg_pulse_links_set(TgPulseLinks *links, const List *members);
extern int	tg_pulse_links_run(TgPulseLinks *links, int64 now_ms, TgDetectorEvent *events);
extern bool tg_pulse_links_wait(TgPulseLinks *links, long timeout_ms);
extern const char *tg_pulse_links_name(const TgPulseLinks *links, TgNodeId node);

#endif							/* TG_CLUSTER_PULSE_LINKS_H */
