/*-------------------------------------------------------------------------
 *
 * src/merge/batch.c
 *	  Merge many changes of one table; a bad row stops nothing.
 *
 * Batches of changes are merged together, each in one subtransaction.  If that
 * fails for a reason that lies in a row, then
 *	1. in halves, and these in halves, until what fails stands alone; a change
 *	   that stands alone goes the ordinary way, and may fail, too;
 *	2. those that have failed because unique values are in their way, together:
 *	   old versions out, new ones in, so that rows can exchange them;
 *	3. what still fails goes into quarantine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/attempt.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "journal/stamping.h"
#include "merge/batch.h"
#include "merge/change.h"
#include "merge/quarantine.h"
#include "merge/together.h"
#include "merge/truncate.h"
#include "merge/write.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define BATCH_CHANGES	2000	/* merged in one subtransaction */
#define MAX_HALVINGS	64		/* of one batch; what is left goes one by one */

/* Changes of one table, tried together. */
typedef struct Attempt
{
	TgMerge    *merge;
	TgTableId	table;
	const TgChange **changes;
	int			nchanges;
} Attempt;

/*
 * Does the error lie in the row, so that other rows may go on without it?
 * What comes from the surroundings passes, or stops every row.
 */
static bool
blames_row(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_DATA_CORRUPTED:
		case ERRCODE_INDEX_CORRUPTED:
		case ERRCODE_TG_CLOCK_DRIFT:
			return false;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION: /* query cancel as well */
		case ERRCODE_SYSTEM_ERROR:
			return false;
		default:
			return true;
	}
}

static void
merge_in_order(void *arg)
{
	Attempt    *attempt = arg;
	TgTarget   *target = NULL;

	for (int i = 0; i < attempt->nchanges; i++)
	{
		const TgChange *change = attempt->changes[i];

		if (change->kind == TG_CHANGE_TRUNCATE)
		{
			if (target != NULL)
				tg_merge_close_table(target);
			target = NULL;
			tg_merge_truncation(attempt->merge, attempt->table, change->stamp);
			continue;
		}
		if (target == NULL)
			target = tg_merge_open_table(attempt->table, RowExclusiveLock);
		if (target == NULL)
			return;
		tg_merge_change(attempt->merge, target, change);
	}
	if (target != NULL)
		tg_merge_close_table(target);
	TG_FAILPOINT("merge-before-release");
}

static void
merge_together(void *arg)
{
	Attempt    *attempt = arg;
	TgTarget   *target = tg_merge_open_table(attempt->table, RowExclusiveLock);

	if (target == NULL)
		return;
	tg_merge_together(attempt->merge, target, attempt->changes, attempt->nchanges);
	tg_merge_close_table(target);
	TG_FAILPOINT("merge-before-release");
}

/*
 * Old versions out, new ones in.
 */
static void
merge_exchange(void *arg)
{
	Attempt    *attempt = arg;
	TgDoubt		doubt = attempt->merge->doubt;
	TgTarget   *target = tg_merge_open_table(attempt->table, RowExclusiveLock);
	bool	   *stepped_aside;

	if (target == NULL)
		return;
	stepped_aside = palloc(attempt->nchanges * sizeof(bool));
	for (int i = 0; i < attempt->nchanges; i++)
		stepped_aside[i] = tg_merge_step_aside(attempt->merge, target, attempt->changes[i]);
	for (int i = 0; i < attempt->nchanges; i++)
	{
		/* that a row is gone which has just made room says nothing */
		attempt->merge->doubt = stepped_aside[i] ? TG_DOUBT_NEVER : doubt;
		tg_merge_change(attempt->merge, target, attempt->changes[i]);
	}
	attempt->merge->doubt = doubt;
	tg_merge_close_table(target);
}

/*
 * Run one way of merging in a subtransaction.  NULL if it succeeded; an error
 * that blames a row is returned, any other one goes on up.
 */
static ErrorData *
try_merge(Attempt *attempt, void (*merge_them) (void *))
{
	TgMergeCounts counts = attempt->merge->counts;
	TgDoubt		doubt = attempt->merge->doubt;
	ErrorData  *error = tg_attempt(merge_them, attempt);

	if (error == NULL)
		return NULL;
	if (!blames_row(error))
		ReThrowError(error);
	MemoryContextReset(attempt->merge->scratch);
	attempt->merge->counts = counts;
	attempt->merge->doubt = doubt;
	return error;
}

static bool
takes_part_in_exchange(const TgChange *change, const ErrorData *error)
{
	return error != NULL && error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION &&
		change->kind == TG_CHANGE_ROW;
}

/*
 * Merge those together that have failed because of unique values.  Even one of
 * them may succeed now, if those that were in its way came after it.
 */
static void
try_exchange(Attempt *all, ErrorData **errors)
{
	Attempt		together = {all->merge, all->table, palloc(all->nchanges * sizeof(TgChange *)), 0};

	for (int i = 0; i < all->nchanges; i++)
		if (takes_part_in_exchange(all->changes[i], errors[i]))
			together.changes[together.nchanges++] = all->changes[i];
	all->merge->is_wary = true;
	if (together.nchanges > 0 && try_merge(&together, merge_exchange) == NULL)
	{
		for (int i = 0; i < all->nchanges; i++)
			if (takes_part_in_exchange(all->changes[i], errors[i]))
				errors[i] = NULL;
	}
	all->merge->is_wary = false;
	pfree(together.changes);
}

/*
 * The rows that could make room are in somebody else's hands: let the caller
 * see to all of them.
 */
static void
leave_conflicts(Attempt *all, ErrorData **errors)
{
	for (int i = 0; i < all->nchanges; i++)
	{
		if (!takes_part_in_exchange(all->changes[i], errors[i]))
			continue;
		errors[i] = NULL;
		all->merge->nleft++;
	}
}

/*
 * Each change the ordinary way, and no insertion that fails may hide that the
 * row was deleted.  The errors go to their places.
 */
static void
merge_one_by_one(Attempt *all, int start, int nchanges, ErrorData **errors)
{
	all->merge->is_wary = true;
	for (int i = start; i < start + nchanges; i++)
	{
		Attempt		one = {all->merge, all->table, &all->changes[i], 1};

		errors[i] = try_merge(&one, merge_in_order);
	}
	all->merge->is_wary = false;
}

static ErrorData *
try_together(Attempt *all, int start, int nchanges)
{
	Attempt		part = {all->merge, all->table, &all->changes[start], nchanges};
	ErrorData  *error = try_merge(&part, merge_together);

	if (error == NULL || !all->merge->expects_absent ||
		error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
		return error;
	FreeErrorData(error);
	all->merge->expects_absent = false;
	return try_merge(&part, merge_together);
}

/*
 * Merge together what can be, without what fails.  The few bad rows of a batch
 * cost little so; where there are many, halving them further does not pay.
 */
static void
merge_in_halves(Attempt *all, int start, int nchanges, ErrorData **errors, int *halvings)
{
	ErrorData  *error;

	if (*halvings == 0)
	{
		merge_one_by_one(all, start, nchanges, errors);
		return;
	}
	error = try_together(all, start, nchanges);
	if (error == NULL)
		return;
	FreeErrorData(error);
	if (nchanges == 1)
	{
		merge_one_by_one(all, start, 1, errors);
		return;
	}
	(*halvings)--;
	merge_in_halves(all, start, nchanges / 2, errors, halvings);
	merge_in_halves(all, start + nchanges / 2, nchanges - nchanges / 2, errors, halvings);
}

/*
 * How many changes, from this one on, can be merged together: no more than a
 * batch, and no TRUNCATE.
 */
static int
batch_from(const Attempt *all, int start)
{
	int			n = 0;

	while (start + n < all->nchanges && n < BATCH_CHANGES &&
		   all->changes[start + n]->kind != TG_CHANGE_TRUNCATE)
		n++;
	return n;
}

static void
merge_in_batches(Attempt *all, ErrorData **errors)
{
	int			n;

	for (int start = 0; start < all->nchanges; start += n)
	{
		int			halvings = MAX_HALVINGS;

		n = batch_from(all, start);
		if (n == 0)
			merge_one_by_one(all, start, n = 1, errors);
		else
			merge_in_halves(all, start, n, errors, &halvings);
	}
}

/*
 * Put a change into quarantine.  There, too, an imported one has a fresh stamp.
 */
static void
put_aside(TgMerge *merge, TgTableId table, const TgChange *change, const ErrorData *error)
{
	TgChange	fresh = *change;

	if (merge->is_import)
		fresh.stamp = tg_write_stamp();
	tg_quarantine_put(merge, table, &fresh, error);
}

/*
 * Merge changes of one table between tg_merge_begin() and tg_merge_end().
 * The clock must have observed their stamps, unless they are imported, and the
 * caller holds a lock on the table since it has found it to look as it does
 * where they come from.  A row that cannot be applied goes into quarantine, or
 * is left if the merge says so;
 * errors that blame no row, as a deadlock, abort the transaction, and merging
 * all of it again is harmless.
 */
void
tg_merge_changes(TgMerge *merge, TgTableId table, const TgChange *changes, int nchanges)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Attempt		all = {merge, table, palloc(Max(nchanges, 1) * sizeof(TgChange *)), nchanges};
	ErrorData **errors = palloc0(Max(nchanges, 1) * sizeof(ErrorData *));

	for (int i = 0; i < nchanges; i++)
		all.changes[i] = &changes[i];
	merge_in_batches(&all, errors);
	if (merge->leaves_conflicts)
		leave_conflicts(&all, errors);
	else
		try_exchange(&all, errors);
	for (int i = 0; i < nchanges; i++)
		if (errors[i] != NULL)
			put_aside(merge, table, &changes[i], errors[i]);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Merge changes of one table, each the ordinary way, and then those together
 * that unique values are in the way of.  For each change NULL, if it was
 * merged, or what blames it.  As tg_merge_changes() otherwise.
 */
ErrorData **
tg_merge_try(TgMerge *merge, TgTableId table, const TgChange *changes, int nchanges)
{
	Attempt		all = {merge, table, palloc(Max(nchanges, 1) * sizeof(TgChange *)), nchanges};
	ErrorData **errors = palloc0(Max(nchanges, 1) * sizeof(ErrorData *));

	for (int i = 0; i < nchanges; i++)
		all.changes[i] = &changes[i];
	merge_one_by_one(&all, 0, nchanges, errors);
	try_exchange(&all, errors);
	return errors;
}
