/*-------------------------------------------------------------------------
 *
 * src/merge/batch.c
 *	  Merge many changes of one table; a bad row stops nothing.
 *
 * First all together, in one subtransaction.  If that fails for a reason that
 * lies in a row, then
 *	1. each change in a subtransaction of its own; those that fail are kept;
 *	2. if unique values are in the way, those that are kept together: old
 *	   versions out, new ones in, so that rows can exchange them;
 *	3. what still fails goes into quarantine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/failpoint.h"
#include "executor/spi.h"
#include "merge/batch.h"
#include "merge/change.h"
#include "merge/quarantine.h"
#include "merge/truncate.h"
#include "merge/write.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* Changes of one table, tried together. */
typedef struct Attempt
{
	TgMerge    *merge;
	TgTableId	table;
	const TgChange **changes;
	int			nchanges;
} Attempt;

/* A change that failed, and why. */
typedef struct Failure
{
	const TgChange *change;
	ErrorData  *error;
} Failure;

/*
 * Does the error lie in the row, so that other rows may go on without it?
 */
static bool
blames_row(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_WITH_CHECK_OPTION_VIOLATION:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_PLPGSQL_ERROR:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_EXTERNAL_ROUTINE_EXCEPTION:
			return true;
		default:
			return false;
	}
}

static void
merge_in_order(Attempt *attempt)
{
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
}

/*
 * Old versions out, new ones in.
 */
static void
merge_exchange(Attempt *attempt)
{
	TgTarget   *target = tg_merge_open_table(attempt->table, RowExclusiveLock);

	if (target == NULL)
		return;
	for (int i = 0; i < attempt->nchanges; i++)
		tg_merge_step_aside(attempt->merge, target, attempt->changes[i]);
	tg_merge_close_table(target);
	merge_in_order(attempt);
}

/*
 * Run one way of merging in a subtransaction.  NULL if it succeeded; an error
 * that blames a row is returned, any other one goes on up.
 */
static ErrorData *
try_merge(Attempt *attempt, void (*merge_them) (Attempt *))
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	TgMergeCounts counts = attempt->merge->counts;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		merge_them(attempt);
		TG_FAILPOINT("merge-before-release");
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		if (!blames_row(error))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextReset(attempt->merge->scratch);
		attempt->merge->counts = counts;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	return error;
}

static ErrorData *
try_one(TgMerge *merge, TgTableId table, const TgChange *change)
{
	Attempt		attempt = {merge, table, &change, 1};

	return try_merge(&attempt, merge_in_order);
}

static bool
try_exchange(TgMerge *merge, TgTableId table, const Failure *failures, int nfailures)
{
	Attempt		attempt = {merge, table, palloc(nfailures * sizeof(TgChange *)), 0};

	for (int i = 0; i < nfailures; i++)
		if (failures[i].error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION &&
			failures[i].change->kind == TG_CHANGE_ROW)
			attempt.changes[attempt.nchanges++] = failures[i].change;
	return attempt.nchanges == nfailures && nfailures > 1 &&
		try_merge(&attempt, merge_exchange) == NULL;
}

static void
merge_one_by_one(Attempt *all)
{
	Failure    *failures = palloc(all->nchanges * sizeof(Failure));
	int			nfailures = 0;

	for (int i = 0; i < all->nchanges; i++)
	{
		ErrorData  *error = try_one(all->merge, all->table, all->changes[i]);

		if (error != NULL)
			failures[nfailures++] = (Failure)
		{
			all->changes[i], error
		};
	}

	if (!try_exchange(all->merge, all->table, failures, nfailures))
	{
		for (int i = 0; i < nfailures; i++)
			tg_quarantine_put(all->merge, all->table, failures[i].change, failures[i].error);
	}
	pfree(failures);
}

/*
 * Merge changes of one table between tg_merge_begin() and tg_merge_end().
 * The clock must have observed their stamps.  A row that cannot be applied
 * goes into quarantine; errors that blame no row, as a deadlock, abort the
 * transaction, and merging all of it again is harmless.
 */
void
tg_merge_changes(TgMerge *merge, TgTableId table, const TgChange *changes, int nchanges)
{
	Attempt		attempt = {merge, table, palloc(Max(nchanges, 1) * sizeof(TgChange *)), nchanges};

	for (int i = 0; i < nchanges; i++)
		attempt.changes[i] = &changes[i];
	if (try_merge(&attempt, merge_in_order) != NULL)
		merge_one_by_one(&attempt);
	pfree(attempt.changes);
}

/*
 * Try to merge what is in quarantine.  Returns how many rows could be.
 */
int
tg_merge_retry_quarantined(void)
{
	TgMerge		merge;
	SPITupleTable *rows;
	uint64		nrows;
	int			nmerged = 0;

	tg_merge_begin(&merge, 0, NULL);
	SPI_connect();
	if (SPI_execute("SELECT table_id, stamp, deleted, payload FROM topgun.quarantine "
					"ORDER BY stamp NULLS FIRST", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read topgun.quarantine");
	rows = SPI_tuptable;
	nrows = SPI_processed;

	for (uint64 i = 0; i < nrows; i++)
	{
		HeapTuple	row = rows->vals[i];
		bool		isnull;
		TgTableId	table = DatumGetInt32(SPI_getbinval(row, rows->tupdesc, 1, &isnull));
		Datum		stamp = SPI_getbinval(row, rows->tupdesc, 2, &isnull);
		TgChange	change = {.stamp = isnull ? TG_NO_STAMP : DatumGetTgStamp(stamp)};
		bytea	   *payload = DatumGetByteaP(SPI_getbinval(row, rows->tupdesc, 4, &isnull));
		ErrorData  *error;

		change.kind = DatumGetBool(SPI_getbinval(row, rows->tupdesc, 3, &isnull)) ?
			TG_CHANGE_DELETE : TG_CHANGE_ROW;
		change.payload = tg_bytes_of_varlena(payload);
		if (!OidIsValid(tg_table_relid(table)))
			continue;

		error = try_one(&merge, table, &change);
		if (error == NULL)
			nmerged++;
		else
			tg_quarantine_put(&merge, table, &change, error);
	}
	SPI_finish();
	tg_merge_end(&merge);
	return nmerged;
}
