/*-------------------------------------------------------------------------
 *
 * src/journal/fold.c
 *	  From the journal into the trees.
 *
 * A round reads the journal from the stored position up to the horizon, whole
 * transactions only, and stores trees and position together: a crash repeats
 * it.  What entries do to a tree can be summed up in any order, but for those
 * that empty it, TRUNCATE and BEGIN.  Of a transaction that has one,
 *
 *	TRUNCATE	entries count if their stamps are newer than its own,
 *	BEGIN		all entries count,
 *
 * wherever in the transaction they stand; those of earlier transactions do
 * not.  If entries of the transaction were summed up before that is known, the
 * table is left to one more pass over the same stretch of the journal, as are
 * tables for whose trees there is no room.
 *
 * The fold lock, on topgun.fold_state, is taken after those of users' tables,
 * and nothing but our own tables is locked under it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/failpoint.h"
#include "catalog/indexing.h"
#include "clock/identity.h"
#include "digest/row_digest.h"
#include "digest/tree_store.h"
#include "journal/entry.h"
#include "journal/fold.h"
#include "journal/inflight.h"
#include "journal/read.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define MAX_TREES			32	/* in one pass, at most a megabyte each */
#define MAX_ENTRIES			1000000 /* of a round of many transactions */
#define ALL_READ			PG_UINT64_MAX

/* A table whose tree is brought up to date. */
typedef struct FoldTable
{
	TgTableId	id;
	TgTree	   *delta;			/* NULL: no entries yet, or not in this pass */
	bool		is_done;		/* in an earlier pass */
	int			skipped_in;		/* pass that has left it to a later one */
	TgPosition	touched_at;		/* the last transaction summed up */
	TgPosition	emptied_at;		/* the last one that empties the tree, or 0 */
	TgStamp		emptied_by;		/* its TRUNCATE; TG_NO_STAMP: a BEGIN */
} FoldTable;

/* A stretch of the journal on its way into the trees. */
typedef struct Round
{
	TgPosition	from;
	TgPosition	upto;
	Snapshot	snapshot;
	FoldTable  *tables;			/* by id */
	int			ntables;
	FoldTable  *last;			/* entry's table, most likely the next one's */
	int			pass;			/* counts from 1 */
	int			ntrees;			/* of this pass */
	bool		is_left;		/* tables are left to the next pass */
	int64		nentries;
	TgJournalReader *seen;		/* transactions to leave out, or NULL */
	TgPosition	seen_at;		/* where that reader is */
} Round;

/*
 * Take the fold lock, which stays until the end of the transaction.  False if
 * somebody else has it and we shall not wait.
 */
bool
tg_fold_lock(bool wait)
{
	Oid			relid = tg_catalog_oid(TG_CAT_FOLD_STATE);

	if (!wait)
		return ConditionalLockRelationOid(relid, ExclusiveLock);
	LockRelationOid(relid, ExclusiveLock);
	return true;
}

static HeapTuple
read_state(Relation rel, Snapshot snapshot, TgPosition *position)
{
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tuple = heap_getnext(scan, ForwardScanDirection);
	bool		isnull;
	Datum		value;

	if (tuple == NULL)
		elog(ERROR, "topgun.fold_state is empty");
	tuple = heap_copytuple(tuple);
	value = heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull);
	*position = isnull ? 0 : DatumGetTgStamp(value);
	table_endscan(scan);
	return tuple;
}

/*
 * The position up to which the journal is in the trees that the snapshot sees;
 * 0 if none of it is.
 */
TgPosition
tg_fold_position(Snapshot snapshot)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_FOLD_STATE), AccessShareLock);
	TgPosition	position;

	heap_freetuple(read_state(rel, snapshot, &position));
	table_close(rel, AccessShareLock);
	return position;
}

/*
 * The same as of now, with what this transaction has folded.
 */
TgPosition
tg_fold_position_now(void)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TgPosition	position = tg_fold_position(snapshot);

	UnregisterSnapshot(snapshot);
	return position;
}

static void
store_position(TgPosition position)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_FOLD_STATE), RowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TgPosition	before;
	HeapTuple	old = read_state(rel, snapshot, &before);
	Datum		value = TgStampGetDatum(position);
	bool		isnull = false;
	HeapTuple	new = heap_form_tuple(RelationGetDescr(rel), &value, &isnull);

	Assert(before <= position);
	CatalogTupleUpdate(rel, &old->t_self, new);
	heap_freetuple(new);
	heap_freetuple(old);
	UnregisterSnapshot(snapshot);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/*
 * Is there something in the journal that is not in the trees?
 */
bool
tg_fold_is_due(void)
{
	TgPosition	last = tg_inflight_last_position();

	if (last == 0)
		last = tg_journal_last_position();
	return last > tg_fold_position_now();
}

static int
compare_tables(const void *left, const void *right)
{
	TgTableId	a = ((const FoldTable *) left)->id;
	TgTableId	b = ((const FoldTable *) right)->id;

	return a < b ? -1 : a > b ? 1 : 0;
}

/*
 * The tables that are attached here, as of the snapshot that reads the journal.
 */
static void
load_tables(Round *round)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_TABLE_STATE), AccessShareLock);
	TableScanDesc scan = table_beginscan(rel, round->snapshot, 0, NULL);
	HeapTuple	tuple;
	int			room = 64;

	round->tables = palloc(room * sizeof(FoldTable));
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;

		if (round->ntables == room)
		{
			room *= 2;
			round->tables = repalloc_huge(round->tables, room * sizeof(FoldTable));
		}
		round->tables[round->ntables++] = (FoldTable)
		{
			.id = DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull))
		};
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	qsort(round->tables, round->ntables, sizeof(FoldTable), compare_tables);
}

static FoldTable *
find_table(Round *round, TgTableId id)
{
	FoldTable	key = {.id = id};

	if (likely(round->last != NULL && round->last->id == id))
		return round->last;
	return round->last = bsearch(&key, round->tables, round->ntables, sizeof(FoldTable),
								 compare_tables);
}

static void
leave_to_next_pass(Round *round, FoldTable *table)
{
	table->skipped_in = round->pass;
	round->is_left = true;
	if (table->delta == NULL)
		return;
	tg_tree_free(table->delta);
	table->delta = NULL;
	round->ntrees--;
}

/*
 * Give the table a tree to sum up its entries in; false if it has to wait.
 */
static bool
enter_pass(Round *round, FoldTable *table)
{
	if (likely(table->delta != NULL))
		return true;
	if (table->is_done || table->skipped_in == round->pass)
		return false;
	if (round->ntrees == MAX_TREES)
	{
		leave_to_next_pass(round, table);
		return false;
	}
	table->delta = tg_tree_create();
	round->ntrees++;
	return true;
}

/*
 * The transaction at this position empties the tree of a table.  Later passes
 * know from the first one which is the last to do so.
 */
static void
empty(Round *round, FoldTable *table, TgPosition position, TgStamp stamp)
{
	bool		is_known;

	if (position == table->emptied_at)
		is_known = stamp <= table->emptied_by;
	else
		is_known = position < table->emptied_at;
	if (!is_known)
	{
		table->emptied_at = position;
		table->emptied_by = stamp;
	}
	if (!enter_pass(round, table) || is_known)
		return;
	if (table->touched_at == position)
		leave_to_next_pass(round, table);
	else
		tg_tree_clear(table->delta);
}

/*
 * Does a row with this stamp outlast what the entry's transaction has emptied?
 */
static bool
outlasts(const FoldTable *table, TgPosition position, TgStamp stamp)
{
	return position > table->emptied_at || table->emptied_by == TG_NO_STAMP ||
		stamp > table->emptied_by;
}

static bool
has_come(const TgEntry *entry)
{
	if (entry->op == TG_OP_ANNOUNCE)
		return entry->had_row;
	return entry->op == TG_OP_INSERT || entry->op == TG_OP_UPDATE;
}

static bool
has_gone(const TgEntry *entry)
{
	return entry->had_row && (entry->op == TG_OP_UPDATE || entry->op == TG_OP_DELETE);
}

static void
sum_up(FoldTable *table, TgPosition position, const TgEntry *entry)
{
	uint32		leaf = tg_leaf_of_key(entry->key);

	if (has_come(entry) && outlasts(table, position, entry->new_stamp))
	{
		tg_tree_add_row(table->delta, leaf,
						tg_row_digest(table->id, entry->key, entry->new_stamp));
		table->touched_at = position;
	}
	if (has_gone(entry) && outlasts(table, position, entry->old_stamp))
	{
		tg_tree_remove_row(table->delta, leaf,
						   tg_row_digest(table->id, entry->key, entry->old_stamp));
		table->touched_at = position;
	}
}

static void
take_entry(Round *round, TgPosition position, const TgEntry *entry)
{
	FoldTable  *table = find_table(round, entry->table);

	if (table == NULL)
		return;
	if (unlikely(entry->op == TG_OP_BEGIN || entry->op == TG_OP_TRUNCATE))
	{
		if (entry->op == TG_OP_BEGIN || entry->had_row)
			empty(round, table, position, entry->new_stamp);
	}
	else if (position >= table->emptied_at && enter_pass(round, table))
		sum_up(table, position, entry);
}

/*
 * Was this transaction seen by the snapshot whose positions are left out?  Ask
 * in ascending order.
 */
static bool
is_seen(Round *round, TgPosition position)
{
	TgJournalPiece piece;

	if (round->seen == NULL)
		return false;
	while (round->seen_at < position)
		round->seen_at = tg_journal_next(round->seen, &piece) ? piece.cursor.position : ALL_READ;
	return round->seen_at == position;
}

static void
take_piece(Round *round, const TgJournalPiece *piece)
{
	TgReader	reader;
	TgEntry		entry;
	TgEntryStatus status;

	if (is_seen(round, piece->cursor.position))
		return;
	tg_reader_init(&reader, piece->entries.data, piece->entries.len);
	while ((status = tg_entry_read(&reader, &entry)) == TG_ENTRY_OK)
	{
		round->nentries++;
		take_entry(round, piece->cursor.position, &entry);
	}
	if (status == TG_ENTRY_BROKEN)
		elog(ERROR, "broken journal entry");
}

/*
 * Sum up the journal from "from" to "upto".  The first pass may end earlier,
 * and says where.
 */
static void
read_pass(Round *round)
{
	TgJournalReader *reader = tg_journal_open(tg_cursor_after(round->from), round->upto,
											  round->snapshot);
	TgJournalPiece piece;

	round->pass++;
	round->ntrees = 0;
	round->is_left = false;
	for (int i = 0; i < round->ntables; i++)
		round->tables[i].touched_at = 0;

	while (tg_journal_next(reader, &piece))
	{
		take_piece(round, &piece);
		if (piece.is_last && round->pass == 1 && round->nentries >= MAX_ENTRIES)
		{
			round->upto = piece.cursor.position;
			break;
		}
	}
	tg_journal_close(reader);
}

static void
apply_pass(Round *round)
{
	for (int i = 0; i < round->ntables; i++)
	{
		FoldTable  *table = &round->tables[i];

		if (table->delta == NULL)
			continue;
		tg_tree_apply(table->id, table->delta, table->emptied_at != 0);
		tg_tree_free(table->delta);
		table->delta = NULL;
		table->is_done = true;
	}
}

/*
 * One round: bring all trees from the fold position to the horizon, or part of
 * the way; true if there is more.  The fold lock must be held.  Trees and
 * position become visible together, when the caller commits.
 */
bool
tg_fold(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun fold",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgPosition	horizon = tg_inflight_horizon(tg_node_id_required());
	Round		round = {
		.upto = horizon,
		.snapshot = RegisterSnapshot(GetLatestSnapshot())
	};

	round.from = tg_fold_position(round.snapshot);
	if (round.from < horizon)
	{
		load_tables(&round);
		do
		{
			read_pass(&round);
			TG_FAILPOINT("fold-before-apply");
			apply_pass(&round);
		} while (round.is_left);
		store_position(round.upto);
		TG_FAILPOINT("fold-before-commit");
	}
	UnregisterSnapshot(round.snapshot);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return round.upto < horizon;
}

/*
 * What has happened to a table, at positions after "after" and up to "upto",
 * that the snapshot "seen" does not see: bring the tree, which is that of the
 * rows it sees, there.  The fold must have passed "upto".
 */
void
tg_fold_missed(TgTableId table, TgPosition after, TgPosition upto, Snapshot seen, TgTree *tree)
{
	FoldTable	missed = {.id = table};
	Round		round = {
		.from = after,
		.upto = upto,
		.snapshot = RegisterSnapshot(GetLatestSnapshot()),
		.tables = &missed,
		.ntables = 1,
		.pass = 1				/* none of them ends early */
	};

	do
	{
		round.seen = tg_journal_open(tg_cursor_after(after), upto, seen);
		round.seen_at = 0;
		read_pass(&round);
		tg_journal_close(round.seen);
	} while (round.is_left);
	UnregisterSnapshot(round.snapshot);

	if (missed.emptied_at != 0)
		tg_tree_clear(tree);
	if (missed.delta == NULL)
		return;
	tg_tree_add(tree, missed.delta);
	tg_tree_free(missed.delta);
}
