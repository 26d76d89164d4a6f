/*-------------------------------------------------------------------------
 *
 * src/worker/roster.h
 *	  Which workers there should be, and which there are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_ROSTER_H
#define TG_WORKER_ROSTER_H

#include "base/types.h"
#include "datatype/timestamp.h"

#define TG_MAX_WORKERS			256

typedef enum TgWorkerKind
{
	TG_WORKER_COPIER,
	TG_WORKER_FOLDER,
	TG_WORKER_JANITOR,
	TG_WORKER_PULLER,
	TG_WORKER_PULSE,
	TG_WORKER_REPAIRER
} TgWorkerKind;

/* Each state lists those that may follow. */
typedef enum TgWorkerState
{
	TG_WORKER_FREE,				/* WAITING */
	TG_WORKER_WAITING,			/* to be started; STARTING, FREE */
	TG_WORKER_STARTING,			/* RUNNING, WAITING */
	TG_WORKER_RUNNING			/* WAITING, FREE */
} TgWorkerState;

typedef struct TgWorker
{
	TgWorkerState state;
	uint32		generation;		/* counts the uses of this place */
	Oid			database;
	TgWorkerKind kind;
	TgNodeId	peer;			/* of a puller; else 0 */
	bool		is_unwanted;	/* a running worker that shall leave */
	int			pid;			/* 0 unless running */
	int			failures;		/* in a row; -1: start again without pause */
	TimestampTz start_after;
	TimestampTz started;
} TgWorker;

extern void tg_roster_want(TgWorkerKind kind, TgNodeId peer);
extern void tg_roster_want_in(Oid database);
extern void tg_roster_clear_database(Oid database);
extern void tg_roster_unwant(TgWorkerKind kind, TgNodeId peer);
extern void tg_roster_unwant_all(void);
extern void tg_roster_hurry(TgNodeId peer);
extern void tg_roster_wake(TgWorkerKind kind);

extern void tg_roster_launcher_attach(void);
extern int	tg_roster_next_start(TgWorker *worker, TimestampTz now, TimestampTz *earliest);
extern void tg_roster_start_failed(int place);

extern void tg_roster_attach(Datum arg, TgWorker *worker);
extern Datum tg_roster_arg(int place, uint32 generation);
extern void tg_roster_succeeded(void);
extern void tg_roster_retry_at_once(void);
extern void tg_roster_retry_soon(void);
extern bool tg_roster_is_wanted(void);

extern int	tg_roster_list(TgWorker *workers);

extern Size tg_roster_shmem_size(void);
extern void tg_roster_shmem_attach(void *ptr, bool found);

#endif							/* TG_WORKER_ROSTER_H */
