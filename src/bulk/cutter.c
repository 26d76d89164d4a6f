/*-------------------------------------------------------------------------
 *
 * src/bulk/cutter.c
 *	  Cutting the rows of a job into slices.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/cutter.h"

#define FIRST_BYTES		(64 * 1024)
#define USUAL_BYTES		(1024 * 1024)
#define USUAL_SLICES	512		/* from here on each so many are twice as long */
#define MAX_DOUBLINGS	20

/*
 * How long a slice is to be.  The first ones are short, so that all workers
 * soon have something to do and small jobs spread, too; then most of the time
 * goes into rows and not into transactions.  Their number has a bound.
 */
static int64
slice_bytes(int number, int nworkers)
{
	int			round = number / (2 * Max(nworkers, 1));

	if (round < 4)
		return (int64) FIRST_BYTES << round;
	return (int64) USUAL_BYTES << Min(number / USUAL_SLICES, MAX_DOUBLINGS);
}

/*
 * Begin to cut rows, in the current memory context.  All in one transaction.
 */
void
tg_cutter_init(TgCutter *cutter, TgJob *job, int nworkers)
{
	memset(cutter, 0, sizeof(*cutter));
	cutter->job = job;
	cutter->nworkers = nworkers;
	cutter->context = CurrentMemoryContext;
}

/*
 * Is the slice long enough to be cut here?
 */
bool
tg_cutter_is_full(const TgCutter *cutter)
{
	return cutter->is_open &&
		cutter->writer.bytes >= slice_bytes(cutter->number, cutter->nworkers);
}

/*
 * The slice ends here, and workers may take it.
 */
void
tg_cutter_cut(TgCutter *cutter)
{
	tg_slice_complete(&cutter->writer);
	cutter->is_open = false;
	tg_job_add_slice(cutter->job);
}

static void
begin_slice(TgCutter *cutter)
{
	MemoryContext old = MemoryContextSwitchTo(cutter->context);

	cutter->number = tg_job_next_slice(cutter->job);
	tg_slice_create(&cutter->writer, tg_job_files(cutter->job), cutter->number);
	cutter->is_open = true;
	MemoryContextSwitchTo(old);
}

/*
 * Add a row to the slice, or to the next one if it was cut.
 */
void
tg_cutter_add(TgCutter *cutter, MinimalTuple tuple)
{
	if (!cutter->is_open)
		begin_slice(cutter);
	tg_slice_write(&cutter->writer, tuple);
}

/*
 * That was all.
 */
void
tg_cutter_finish(TgCutter *cutter)
{
	if (cutter->is_open)
		tg_cutter_cut(cutter);
}
