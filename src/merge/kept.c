/*-------------------------------------------------------------------------
 *
 * src/merge/kept.c
 *	  Keys whose tombstones stay, since a version of them waits in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/attempt.h"
#include "base/error.h"
#include "executor/spi.h"
#include "merge/kept.h"
#include "merge/quarantine.h"
#include "row/table.h"
#include "utils/rel.h"

/* The hash of one key, if it can be read here. */
typedef struct HashOf
{
	TgTableId	table;
	TgBytes		key;
	uint32		hash;
} HashOf;

static void
compute_hash(void *arg)
{
	HashOf	   *of = arg;
	Oid			relid = tg_table_relid(of->table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %d is not here", of->table)));
	of->hash = tg_key_hash(tg_table_get(rel)->key, of->key);
	relation_close(rel, NoLock);
}

/*
 * A key that cannot be read here, nor its table opened, cannot be merged
 * either, unless it is sent anew.  Any other error may pass.
 */
static bool
try_hash(HashOf *of)
{
	ErrorData  *error = tg_attempt(compute_hash, of);

	if (error == NULL)
		return true;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_TO_CATEGORY(ERRCODE_TG_PROTOCOL):
			break;
		default:
			ReThrowError(error);
	}
	FreeErrorData(error);
	return false;
}

/*
 * The keys of all rows in quarantine, as of the active snapshot.  In the
 * current memory context.
 */
TgKeptKeys
tg_kept_keys(void)
{
	MemoryContext context = CurrentMemoryContext;
	TgKeptKeys	kept = {NULL, 0};

	if (tg_quarantine_is_empty())
		return kept;

	SPI_connect();
	if (SPI_execute("SELECT table_id, key FROM topgun.quarantine WHERE NOT deleted", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read topgun.quarantine");
	kept.keys = MemoryContextAllocHuge(context, Max(SPI_processed, 1) * sizeof(TgKeptKey));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		HashOf		of = {.table = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull))};

		of.key = tg_bytes_of_varlena(DatumGetByteaPP(SPI_getbinval(row, desc, 2, &isnull)));
		if (try_hash(&of))
			kept.keys[kept.nkeys++] = (TgKeptKey)
		{
			of.table, (int32) of.hash
		};
	}
	SPI_finish();
	tg_kept_keys_sort(&kept);
	return kept;
}
