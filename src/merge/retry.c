/*-------------------------------------------------------------------------
 *
 * src/merge/retry.c
 *	  Trying again what is in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/error.h"
#include "merge/batch.h"
#include "merge/quarantine.h"
#include "merge/retry.h"
#include "merge/waiting.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * Read the versions that wait, and leave out what cannot be tried.
 */
static int
load_versions(TgWaiting *rows, int nrows, TgChange *changes)
{
	ErrorData	stale = {
		.sqlerrcode = ERRCODE_TG_SCHEMA_DIFFERS,
		.message = "the table has other columns now than when this row came; it waits until the row is sent anew"
	};
	int			n = 0;

	for (int i = 0; i < nrows; i++)
	{
		TgChange   *change = &changes[n];

		if (!tg_quarantine_find(rows[i].table, rows[i].key, GetLatestSnapshot(), change))
			continue;
		if (change->payload.data == NULL)
			tg_quarantine_note(rows[i].table, rows[i].key, change->stamp, &stale);
		else
			rows[n++] = rows[i];
	}
	return n;
}

/*
 * Try rows of one table; how many could be merged.
 */
static int
retry_in_table(TgMerge *merge, TgWaiting *rows, int nrows)
{
	TgChange   *changes = palloc0(nrows * sizeof(TgChange));
	ErrorData **errors;
	int			nmerged = 0;

	nrows = load_versions(rows, nrows, changes);
	errors = tg_merge_try(merge, rows[0].table, changes, nrows);
	for (int i = 0; i < nrows; i++)
	{
		if (errors[i] != NULL)
		{
			tg_quarantine_note(rows[i].table, rows[i].key, changes[i].stamp, errors[i]);
			continue;
		}
		tg_quarantine_forget(rows[i].table, rows[i].key, changes[i].stamp);
		nmerged++;
	}
	return nmerged;
}

/*
 * How many rows, from this one on, are tried together?
 */
static int
group_from(const TgWaitingList *list, int start)
{
	const TgWaiting *first = &list->rows[start];
	int64		bytes = 0;
	int			end;

	for (end = start; end < list->nrows && bytes < TG_WAITING_GROUP_BYTES; end++)
	{
		const TgWaiting *row = &list->rows[end];

		if (row->table != first->table || row->is_doubtful != first->is_doubtful)
			break;
		bytes += row->bytes;
	}
	return end - start;
}

/*
 * Try rows; how many could be merged.
 */
static int64
retry(const TgWaitingList *list)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun retry",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgMerge		merge;
	int64		nmerged = 0;
	int			n;

	for (int start = 0; start < list->nrows; start += n)
	{
		n = group_from(list, start);
		tg_merge_begin(&merge, 0, NULL);
		merge.source = TG_MERGE_RETRY;
		/* our vector covers all that waits, so it says nothing of any of it */
		merge.doubt = list->rows[start].is_doubtful ? TG_DOUBT_ALWAYS : TG_DOUBT_NEVER;
		nmerged += retry_in_table(&merge, &list->rows[start], n);
		tg_merge_end(&merge);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return nmerged;
}

/*
 * Try to merge what is due in quarantine; how many rows could be.
 */
int64
tg_retry_due(void)
{
	TgWaitingList list = tg_waiting_due();

	return retry(&list);
}

/*
 * Try to merge what is in quarantine of a table, 0 for all, with a key, NULL
 * for all, however short it has waited; how many rows could be.
 */
int64
tg_retry_all(TgTableId table, const TgBytes *key)
{
	TgWaitingList list = tg_waiting_of(table, key);

	return retry(&list);
}
