/*-------------------------------------------------------------------------
 *
 * src/bulk/cutter.c
 *	  Cutting the changes of a job into slices.
 *
 * The changes come in the order of their keys, so those of one key come one
 * after the other: only the newest of them goes into a slice.  Two of them
 * would not do, since what is written for the first has a stamp newer than
 * both.
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

static void
init_held(TgHeldChange *change)
{
	initStringInfo(&change->key);
	initStringInfo(&change->payload);
}

/*
 * Begin to cut changes of a table with this key, in the current memory
 * context.  All in one transaction.
 */
void
tg_cutter_init(TgCutter *cutter, TgJob *job, int nworkers, TgKeySpec *key)
{
	memset(cutter, 0, sizeof(*cutter));
	cutter->job = job;
	cutter->nworkers = nworkers;
	cutter->key = key;
	cutter->context = CurrentMemoryContext;
	init_held(&cutter->last);
	init_held(&cutter->next);
}

static void
complete_slice(TgCutter *cutter)
{
	tg_slice_complete(&cutter->writer);
	cutter->is_open = false;
	tg_job_add_slice(cutter->job);
}

static void
begin_slice(TgCutter *cutter, int number)
{
	MemoryContext old = MemoryContextSwitchTo(cutter->context);

	tg_slice_create(&cutter->writer, tg_job_files(cutter->job), number);
	cutter->is_open = true;
	MemoryContextSwitchTo(old);
}

static void
write_last(TgCutter *cutter)
{
	int			number = tg_job_next_slice(cutter->job);
	TgChange	change = {
		.kind = cutter->last.kind,
		.stamp = cutter->last.stamp,
		.payload = tg_bytes_of_buf(&cutter->last.payload)
	};

	if (!cutter->is_open)
		begin_slice(cutter, number);
	tg_slice_write(&cutter->writer, &change);
	if (cutter->writer.bytes >= slice_bytes(number, cutter->nworkers))
		complete_slice(cutter);
}

/*
 * As a merge would compare them.
 */
static int
compare(const TgHeldChange *a, const TgHeldChange *b)
{
	int			cmp;

	if (a->stamp != b->stamp)
		return a->stamp > b->stamp ? 1 : -1;
	if (a->kind != b->kind)
		return a->kind == TG_CHANGE_DELETE ? 1 : -1;
	if (a->kind == TG_CHANGE_DELETE)
		return 0;
	cmp = memcmp(a->payload.data, b->payload.data, Min(a->payload.len, b->payload.len));
	return cmp != 0 ? cmp : a->payload.len - b->payload.len;
}

static void
keep_next(TgCutter *cutter)
{
	TgHeldChange last = cutter->last;

	cutter->last = cutter->next;
	cutter->next = last;
	cutter->has_last = true;
}

static bool
has_same_key(TgCutter *cutter)
{
	return cutter->has_last &&
		tg_key_equal(cutter->key, tg_bytes_of_buf(&cutter->last.key),
					 tg_bytes_of_buf(&cutter->next.key));
}

/*
 * Add cutter->next.  May use memory in the current context.
 */
void
tg_cutter_add(TgCutter *cutter)
{
	int			cmp;

	if (!has_same_key(cutter))
	{
		if (cutter->has_last)
			write_last(cutter);
		keep_next(cutter);
		return;
	}

	cmp = compare(&cutter->next, &cutter->last);
	if (cmp == 0)
		cutter->equal++;
	else
		cutter->older++;
	if (cmp > 0)
		keep_next(cutter);
}

/*
 * That was all.
 */
void
tg_cutter_finish(TgCutter *cutter)
{
	if (cutter->has_last)
		write_last(cutter);
	if (cutter->is_open)
		complete_slice(cutter);
	cutter->has_last = false;
}
