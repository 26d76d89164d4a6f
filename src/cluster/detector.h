/*-------------------------------------------------------------------------
 *
 * src/cluster/detector.h
 *	  Which peers are there, as this node sees it, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_DETECTOR_H
#define TG_CLUSTER_DETECTOR_H

#include "cluster/phi.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "transport/wire_pulse.h"

/* What a heartbeat of a peer has told. */
typedef struct TgHeartbeat
{
	TimestampTz at;				/* 0: none yet */
	int64		round_trip_us;
	int64		clock_offset_us;	/* their wall clock - ours */
	int64		ahead_us;		/* our stamps are of their wall clock */
	TgEpoch		epoch;
	uint64		view_id;
	int			nsuspects;
	TgNodeId	suspects[TG_PULSE_MAX_SUSPECTS];
} TgHeartbeat;

/* A peer as of now. */
typedef struct TgDetected
{
	TgNodeId	node;
	double		phi;
	bool		is_suspected;
	bool		is_confirmed;
	int64		suspected_for_ms;
	TgHeartbeat last;
} TgDetected;

/* Something that has happened to a peer. */
typedef struct TgDetectorEvent
{
	TgNodeId	node;
	TgPhiEvent	event;
} TgDetectorEvent;

extern void tg_detector_watch(const List *members, TgNodeId self, int64 now_ms);
extern void tg_detector_forget(void);
extern void tg_detector_excuse(int64 now_ms, int look_ms);
extern int	tg_detector_look(int64 now_ms, TgDetectorEvent *events);
extern TgPhiEvent tg_detector_heartbeat(TgNodeId node, int64 now_ms, const TgHeartbeat *heartbeat);

extern bool tg_detector_get(TgNodeId node, TgDetected *detected);
extern bool tg_detector_suspects(TgNodeId node);
extern int	tg_detector_suspected(TgNodeId *nodes);
extern bool tg_detector_call(TgNodeId node, bool is_urgent);
extern bool tg_detector_take_call(TgNodeId node);

extern Size tg_detector_shmem_size(void);
extern void tg_detector_shmem_attach(void *ptr, bool found);

#endif							/* TG_CLUSTER_DETECTOR_H */
