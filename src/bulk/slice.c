/*-------------------------------------------------------------------------
 *
 * src/bulk/slice.c
 *	  Which slice of a job does a worker take next?  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/slice.h"
#include "storage/shmem.h"

/*
 * The memory that so many slices need.
 */
Size
tg_slices_size(int max_slices)
{
	return add_size(offsetof(TgSlices, slices), mul_size(max_slices, sizeof(TgSlice)));
}

/*
 * Begin without slices and without workers.
 */
void
tg_slices_init(TgSlices *slices, int max_slices, int nworkers, bool affinity, bool stealing)
{
	Assert(nworkers >= 0 && nworkers <= TG_MAX_JOB_WORKERS);

	memset(slices, 0, offsetof(TgSlices, slices));
	slices->stealing = stealing;
	slices->nqueues = affinity ? Max(nworkers, 1) : 1;
	slices->max_slices = max_slices;
	for (int i = 0; i < slices->nqueues; i++)
		slices->queues[i].head = slices->queues[i].tail = TG_NO_SLICE;
}

static void
push_tail(TgSlices *slices, int number)
{
	TgSlice    *slice = &slices->slices[number];
	TgSliceQueue *queue = &slices->queues[slice->queue];

	slice->state = TG_SLICE_READY;
	slice->worker = TG_ANY_WORKER;
	slice->next = TG_NO_SLICE;
	slice->prev = queue->tail;
	if (queue->tail != TG_NO_SLICE)
		slices->slices[queue->tail].next = number;
	else
		queue->head = number;
	queue->tail = number;
	queue->length++;
}

/*
 * Back to where it was taken from: what was done of it counts for nothing.
 */
static void
push_head(TgSlices *slices, int number)
{
	TgSlice    *slice = &slices->slices[number];
	TgSliceQueue *queue = &slices->queues[slice->queue];

	slices->rows -= slice->rows;
	slice->rows = 0;
	slice->state = TG_SLICE_READY;
	slice->worker = TG_ANY_WORKER;
	slice->prev = TG_NO_SLICE;
	slice->next = queue->head;
	if (queue->head != TG_NO_SLICE)
		slices->slices[queue->head].prev = number;
	else
		queue->tail = number;
	queue->head = number;
	queue->length++;
}

static int
take_from(TgSlices *slices, int number, int worker)
{
	TgSlice    *slice = &slices->slices[number];
	TgSliceQueue *queue = &slices->queues[slice->queue];

	if (slice->prev != TG_NO_SLICE)
		slices->slices[slice->prev].next = slice->next;
	else
		queue->head = slice->next;
	if (slice->next != TG_NO_SLICE)
		slices->slices[slice->next].prev = slice->prev;
	else
		queue->tail = slice->prev;
	queue->length--;

	slice->state = TG_SLICE_RUNNING;
	slice->worker = worker;
	slice->tries++;
	return number;
}

static int
own_queue(const TgSlices *slices, int worker)
{
	return worker % slices->nqueues;
}

/*
 * A worker has come: its queue is its own.
 */
void
tg_slices_enter(TgSlices *slices, int worker)
{
	slices->queues[own_queue(slices, worker)].has_owner = true;
}

/*
 * A worker has gone: what it was running waits again, and anybody may take
 * from its queue.  Returns how many slices it was running.
 */
int
tg_slices_leave(TgSlices *slices, int worker)
{
	int			n = 0;

	slices->queues[own_queue(slices, worker)].has_owner = false;
	for (int i = 0; i < slices->nslices; i++)
	{
		TgSlice    *slice = &slices->slices[i];

		if (slice->state != TG_SLICE_RUNNING || slice->worker != worker)
			continue;
		push_head(slices, i);
		n++;
	}
	return n;
}

/*
 * Add a slice at the end of its queue; its number, or TG_NO_SLICE if there is
 * no room for one more.
 */
int
tg_slices_add(TgSlices *slices)
{
	int			number = slices->nslices;

	Assert(!slices->is_closed);

	if (number >= slices->max_slices)
		return TG_NO_SLICE;
	slices->slices[number] = (TgSlice)
	{
		.queue = number % slices->nqueues
	};
	slices->nslices++;
	push_tail(slices, number);
	return number;
}

/*
 * No more slices will be added.
 */
void
tg_slices_close(TgSlices *slices)
{
	slices->is_closed = true;
}

static const TgSliceQueue *
longest_queue(const TgSlices *slices, bool with_owner)
{
	const TgSliceQueue *longest = NULL;

	for (int i = 0; i < slices->nqueues; i++)
	{
		const TgSliceQueue *queue = &slices->queues[i];

		if (queue->length == 0 || (queue->has_owner && !with_owner))
			continue;
		if (longest == NULL || queue->length > longest->length)
			longest = queue;
	}
	return longest;
}

/*
 * The slice that a worker is to run now: the next of its own queue, else the
 * next of a queue without owner, else, with stealing, the last of the longest
 * queue.  TG_NO_SLICE if there is none for it at the moment.
 */
int
tg_slices_take(TgSlices *slices, int worker)
{
	const TgSliceQueue *queue;

	if (worker != TG_ANY_WORKER && slices->queues[own_queue(slices, worker)].length > 0)
		return take_from(slices, slices->queues[own_queue(slices, worker)].head, worker);

	queue = longest_queue(slices, worker == TG_ANY_WORKER);
	if (queue != NULL)
		return take_from(slices, queue->head, worker);

	queue = slices->stealing ? longest_queue(slices, true) : NULL;
	if (queue != NULL)
		return take_from(slices, queue->tail, worker);
	return TG_NO_SLICE;
}

/*
 * A slice was not finished: it is the next of its queue.
 */
void
tg_slices_put_back(TgSlices *slices, int slice)
{
	Assert(slices->slices[slice].state == TG_SLICE_RUNNING);
	push_head(slices, slice);
}

/*
 * A slice is done.
 */
void
tg_slices_finish(TgSlices *slices, int slice)
{
	Assert(slices->slices[slice].state == TG_SLICE_RUNNING);
	slices->slices[slice].state = TG_SLICE_DONE;
	slices->ndone++;
}

/*
 * Whoever runs the slice has dealt with so many rows more.
 */
void
tg_slices_count(TgSlices *slices, int slice, int64 rows)
{
	Assert(slices->slices[slice].state == TG_SLICE_RUNNING);
	slices->slices[slice].rows += rows;
	slices->rows += rows;
}

/*
 * Are all slices done that have been added?
 */
bool
tg_slices_are_idle(const TgSlices *slices)
{
	return slices->ndone == slices->nslices;
}

/*
 * Are all slices done, and no more to come?
 */
bool
tg_slices_are_done(const TgSlices *slices)
{
	return slices->is_closed && tg_slices_are_idle(slices);
}
