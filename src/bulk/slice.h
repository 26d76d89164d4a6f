/*-------------------------------------------------------------------------
 *
 * src/bulk/slice.h
 *	  Which slice of a job does a worker take next?  Pure.
 *
 * Slices are numbered in the order in which they are added.  With affinity,
 * slice i waits in the queue of worker i mod n, so that neighbours in the
 * order of keys stay apart and each worker comes back to its own pages;
 * without, all wait in one queue.  With stealing, a worker whose queue is
 * empty takes from the end of the longest one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_SLICE_H
#define TG_BULK_SLICE_H

#define TG_MAX_JOB_WORKERS		64
#define TG_NO_SLICE				(-1)
#define TG_ANY_WORKER			(-1)	/* takes from any queue, owns none */

typedef enum TgSliceState
{
	TG_SLICE_READY,				/* waits in its queue */
	TG_SLICE_RUNNING,
	TG_SLICE_DONE
} TgSliceState;

typedef struct TgSlice
{
	TgSliceState state;
	int			queue;
	int			worker;			/* that runs it */
	int			tries;			/* how often it was taken */
	int64		rows;			/* dealt with so far */
	int			prev;			/* neighbours in the queue, or TG_NO_SLICE */
	int			next;
} TgSlice;

typedef struct TgSliceQueue
{
	bool		has_owner;
	int			length;
	int			head;
	int			tail;
} TgSliceQueue;

/* Holds no pointers: lives in shared memory, protected by its user. */
typedef struct TgSlices
{
	bool		stealing;
	bool		is_closed;		/* no more will be added */
	int			nqueues;
	int			nslices;
	int			ndone;
	int64		rows;			/* of all slices */
	int			max_slices;
	TgSliceQueue queues[TG_MAX_JOB_WORKERS];
	TgSlice		slices[FLEXIBLE_ARRAY_MEMBER];
} TgSlices;

extern Size tg_slices_size(int max_slices);
extern void tg_slices_init(TgSlices *slices, int max_slices, int nworkers, bool affinity, bool stealing);
extern void tg_slices_enter(TgSlices *slices, int worker);
extern int	tg_slices_leave(TgSlices *slices, int worker);
extern int	tg_slices_add(TgSlices *slices);
extern void tg_slices_close(TgSlices *slices);
extern int	tg_slices_take(TgSlices *slices, int worker);
extern void tg_slices_put_back(TgSlices *slices, int slice);
extern void tg_slices_finish(TgSlices *slices, int slice);
extern void tg_slices_count(TgSlices *slices, int slice, int64 rows);
extern bool tg_slices_are_idle(const TgSlices *slices);
extern bool tg_slices_are_done(const TgSlices *slices);

#endif							/* TG_BULK_SLICE_H */
