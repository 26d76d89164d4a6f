/*-------------------------------------------------------------------------
 *
 * src/transport/rows.c
 *	  Rows of given keys: what they are, and a fresh stamp for them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "capture/restamp.h"
#include "clock/identity.h"
#include "digest/row_digest.h"
#include "miscadmin.h"
#include "row/target.h"
#include "row/tombstone.h"
#include "row/truncation.h"
#include "transport/alike.h"
#include "transport/rows.h"
#include "transport/tree_now.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * The row of a key as it stands in the table.
 */
static TgLeaf *
find_row(TgTarget *target, TgBytes key, Snapshot snapshot)
{
	TgLeaf	   *leaf;

	tg_target_set_key(target, key);
	leaf = tg_target_try_route(target);
	return leaf != NULL && tg_leaf_find(leaf, snapshot) ? leaf : NULL;
}

/*
 * A key without a row has a stamp, too, so that one that came and went can be
 * told from one that never was.
 */
static void
read_absent(TgTarget *target, TgBytes key, Snapshot snapshot, TgRowState *row)
{
	row->stamp = Max(tg_tombstone_find(target->table, key, snapshot), target->truncation);
}

static void
read_row(TgTarget *target, TgBytes key, Snapshot snapshot, TgRowState *row)
{
	TgLeaf	   *leaf = find_row(target, key, snapshot);
	StringInfoData own_key;
	StringInfoData image;

	memset(row, 0, sizeof(*row));
	if (leaf == NULL)
	{
		read_absent(target, key, snapshot, row);
		return;
	}
	initStringInfo(&own_key);
	initStringInfo(&image);
	tg_key_write(leaf->table->key, leaf->found, &own_key);
	tg_row_write(leaf->table, leaf->found, &image);
	row->exists = true;
	row->stamp = tg_slot_stamp(leaf->table, leaf->found);
	row->digest = tg_content_digest(tg_row_digest(leaf->table->id, tg_bytes_of_buf(&own_key),
												  row->stamp),
									tg_bytes_of_buf(&image));
}

/*
 * What the rows of these keys are now, in the current memory context, and the
 * newest position in our journal that may have been seen of that.
 */
TgRowState *
tg_read_rows(Relation rel, const TgBytes *keys, uint32 nkeys, TgPosition *position)
{
	TgRowState *rows = palloc_extended(Max(nkeys, 1) * sizeof(TgRowState), MCXT_ALLOC_HUGE);
	TgTarget   *target = tg_target_open(rel);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	*position = tg_last_position();
	target->truncation = tg_truncation_find(target->table->id);
	for (uint32 i = 0; i < nkeys; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_row(target, keys[i], snapshot, &rows[i]);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	UnregisterSnapshot(snapshot);
	tg_target_close(target);
	return rows;
}

/*
 * Answer a rows request, in the current memory context.  Locks the table with
 * ACCESS SHARE.
 */
StringInfo
tg_answer_rows(const TgRowsRequest *request)
{
	StringInfo	buf = makeStringInfo();
	Relation	rel = tg_open_comparable(request->table);
	TgRowsAnswer answer = {
		.sender = tg_node_id_required(),
		.nrows = request->nkeys
	};

	tg_require_alike(rel, request->fingerprint, request->asker.node);
	answer.rows = tg_read_rows(rel, request->keys, request->nkeys, &answer.position);
	relation_close(rel, NoLock);
	tg_wire_write_rows_answer(buf, &answer);
	return buf;
}

/*
 * Give rows a fresh stamp by an ordinary UPDATE, as the owner of the table; as
 * in a merge, ordinary triggers do not fire.  How many there were.
 */
int
tg_restamp_rows(Relation rel, const TgBytes *keys, uint32 nkeys)
{
	TgTarget   *target = tg_target_open(rel);
	int			guc_nest = NewGUCNestLevel();
	int			n = 0;

	(void) set_config_option("session_replication_role", "replica", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	for (uint32 i = 0; i < nkeys; i++)
	{
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		TgLeaf	   *leaf = find_row(target, keys[i], snapshot);

		CHECK_FOR_INTERRUPTS();
		if (leaf != NULL)
		{
			tg_restamp(leaf->rel, &leaf->found->tts_tid, tg_slot_stamp(leaf->table, leaf->found));
			n++;
		}
		UnregisterSnapshot(snapshot);
	}
	AtEOXact_GUC(true, guc_nest);
	tg_target_close(target);
	return n;
}

/*
 * The same for a peer that asks for it.
 */
int
tg_answer_restamp(const TgRowsRequest *request)
{
	Relation	rel = tg_open_comparable(request->table);
	int			n;

	tg_require_alike(rel, request->fingerprint, request->asker.node);
	n = tg_restamp_rows(rel, request->keys, request->nkeys);
	relation_close(rel, NoLock);
	return n;
}
