/*-------------------------------------------------------------------------
 *
 * src/bulk/progress.h
 *	  How far the running bulk jobs of this server are: for topgun.progress.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_PROGRESS_H
#define TG_BULK_PROGRESS_H

#include "base/types.h"
#include "datatype/timestamp.h"

#define TG_MAX_JOBS				64
#define TG_NO_PROGRESS			(-1)	/* all places are taken */

typedef enum TgJobKind
{
	TG_JOB_MERGE_BATCH,
	TG_JOB_COPY,
	TG_JOB_PULL,
	TG_JOB_KINDS				/* how many there are */
} TgJobKind;

typedef enum TgJobPhase
{
	TG_PHASE_STARTING,
	TG_PHASE_READING,			/* slices are cut, and done as they come */
	TG_PHASE_WORKING,			/* all slices are known */
	TG_PHASE_FINISHING
} TgJobPhase;

/* What can be told of a job. */
typedef struct TgProgress
{
	int			pid;			/* of the leader */
	Oid			database;
	TgJobKind	kind;
	Oid			relid;
	TgNodeId	peer;			/* 0: none */
	TgJobPhase	phase;
	int			slices_total;	/* known so far */
	int			slices_done;
	int			nworkers;		/* processes beside the leader */
	int64		rows;
	TimestampTz started;
} TgProgress;

extern int	tg_progress_begin(TgJobKind kind, Oid relid, TgNodeId peer);
extern void tg_progress_end(int place);
extern void tg_progress_set_phase(int place, TgJobPhase phase);
extern void tg_progress_set_slices(int place, int done, int total);
extern void tg_progress_set_workers(int place, int nworkers);
extern void tg_progress_set_rows(int place, int64 rows);
extern int	tg_progress_list(TgProgress *jobs);

extern Size tg_progress_shmem_size(void);
extern void tg_progress_shmem_attach(void *ptr, bool found);

#endif							/* TG_BULK_PROGRESS_H */
