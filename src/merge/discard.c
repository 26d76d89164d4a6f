/*-------------------------------------------------------------------------
 *
 * src/merge/discard.c
 *	  Giving up what is in quarantine.
 *
 * What waits is the newest version of its key, and other nodes hold it.  Were
 * it only forgotten here, the next comparison of the trees would bring it
 * again.  So to discard it is to decide for what this node has: the row gets a
 * fresh stamp, or the key that has none a tombstone, and either goes to all.
 *
 * The interleavings with others who write the key:
 *
 *	one has inserted and not ended		the look-up waits, and finds the row
 *	one inserts after the look-up		the deletion is noted as unverified, so
 *										the newer of the two stands in the end
 *	one updates or deletes our row		locking the row fails; look again
 *	the janitor merges what waits		it finds a newer version, or is found
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/attempt.h"
#include "base/error.h"
#include "base/sql.h"
#include "clock/epoch.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "journal/append.h"
#include "journal/stamping.h"
#include "merge/change.h"
#include "merge/discard.h"
#include "merge/quarantine.h"
#include "merge/unverified.h"
#include "merge/waiting.h"
#include "merge/write.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/*
 * The row in leaf->found, which is locked, shall be newer than the stamp.
 */
static void
keep_row(TgTarget *target, TgLeaf *leaf, TgStamp stamp)
{
	int			column = leaf->table->stamp_attno - 1;
	TgStamp		ours = tg_slot_stamp(leaf->table, leaf->found);

	ExecCopySlot(leaf->row, leaf->found);
	slot_getallattrs(leaf->row);
	leaf->row->tts_values[column] = TgStampGetDatum(tg_write_stamp_after(Max(stamp, ours)));
	leaf->row->tts_isnull[column] = false;
	tg_leaf_update(target, leaf);
}

/*
 * There is no row: so it shall be everywhere.
 */
static void
keep_absence(TgTarget *target, TgBytes key, TgStamp stamp)
{
	TgChange	deletion = {
		.kind = TG_CHANGE_DELETE,
		.stamp = tg_write_stamp_after(stamp),
		.payload = key
	};
	TgEntry		entry = {
		.table = target->table->id,
		.op = TG_OP_DELETE,
		.new_stamp = deletion.stamp,
		.key = key
	};

	tg_journal_add(RelationGetRelid(target->rel), &entry);
	tg_unverified_note(target->table->id, &deletion);
}

/*
 * The row of the key, locked, or NULL.
 */
static TgLeaf *
lock_row(TgTarget *target)
{
	for (;;)
	{
		TgLeaf	   *leaf = tg_target_try_route(target);

		CHECK_FOR_INTERRUPTS();
		if (leaf == NULL || !tg_leaf_find_settled(leaf))
			return NULL;
		if (tg_leaf_lock_found(leaf))
			return leaf;
	}
}

static void
keep_ours(const TgWaiting *waiting)
{
	TgTarget   *target = tg_merge_open_table(waiting->table, RowExclusiveLock);
	TgLeaf	   *leaf;

	if (target == NULL)
		return;
	tg_target_set_key(target, waiting->key);
	leaf = lock_row(target);
	if (leaf != NULL)
		keep_row(target, leaf, waiting->stamp);
	else
		keep_absence(target, waiting->key, waiting->stamp);
	tg_merge_close_table(target);
}

/*
 * A TRUNCATE is given up: what it would have taken stays, everywhere.
 */
static void
keep_all(const TgWaiting *waiting)
{
	TgTarget   *target = tg_merge_open_table(waiting->table, RowExclusiveLock);
	TgSqlSession session;
	Oid			type;
	Datum		stamp = TgStampGetDatum(waiting->stamp);
	char	   *sql;

	if (target == NULL)
		return;
	type = TupleDescAttr(RelationGetDescr(target->rel), target->table->stamp_attno - 1)->atttypid;
	sql = psprintf("UPDATE %s SET %s = NULL WHERE %s IS NULL OR %s OPERATOR(topgun.<=) $1",
				   tg_sql_name(RelationGetRelid(target->rel)), TG_STAMP_COLUMN, TG_STAMP_COLUMN,
				   TG_STAMP_COLUMN);
	tg_sql_begin(&session, target->rel->rd_rel->relowner);
	if (SPI_execute_with_args(sql, 1, &type, &stamp, NULL, false, 0) < 0)
		elog(ERROR, "could not update table \"%s\"", RelationGetRelationName(target->rel));
	tg_sql_end(&session);
	tg_merge_close_table(target);
}

static void
read_key(void *arg)
{
	const TgWaiting *waiting = arg;
	TgTarget   *target = tg_merge_open_table(waiting->table, RowExclusiveLock);

	if (target == NULL)
		return;
	tg_target_set_key(target, waiting->key);
	tg_merge_close_table(target);
}

/*
 * Bytes that cannot be taken apart wait under a hash of them, and a key may be
 * one that its type does not take here: of such a key there is nothing to
 * decide.
 */
static bool
has_readable_key(TgWaiting *waiting)
{
	ErrorData  *error = tg_attempt(read_key, waiting);

	if (error == NULL)
		return true;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_TO_CATEGORY(ERRCODE_TG_PROTOCOL):
			break;
		default:
			ReThrowError(error);
	}
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("a row whose key cannot be read here comes again when the nodes are compared"),
			 errdetail("%s", error->message)));
	FreeErrorData(error);
	return false;
}

static void
discard(TgWaiting *waiting)
{
	/* only a TRUNCATE waits under no key */
	if (waiting->key.len == 0)
		keep_all(waiting);
	else if (has_readable_key(waiting))
		keep_ours(waiting);
	tg_quarantine_forget(waiting->table, waiting->key, waiting->stamp);
}

/*
 * Give up what is in quarantine of a table, 0 for all, with a key, NULL for
 * all: what this node has in its place is newer from now on, on every node.
 * How many rows that were.  Errors out if clients may not write here.
 */
int64
tg_discard(TgTableId table, const TgBytes *key)
{
	TgWaitingList list = tg_waiting_of(table, key);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun discard",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgMerge		merge;

	tg_epoch_require_writable();
	for (int i = 0; i < list.nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		tg_merge_begin(&merge, 0, NULL);
		discard(&list.rows[i]);
		tg_merge_end(&merge);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return list.nrows;
}
