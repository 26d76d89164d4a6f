/*-------------------------------------------------------------------------
 *
 * src/transport/tree_answer.c
 *	  Answers to a peer that compares its tables with ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "clock/identity.h"
#include "digest/tree_store.h"
#include "miscadmin.h"
#include "row/gc_floor.h"
#include "row/table.h"
#include "row/truncation.h"
#include "storage/lmgr.h"
#include "transport/alike.h"
#include "transport/peer.h"
#include "transport/tree_answer.h"
#include "transport/tree_now.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define CHUNK_BYTES		(1024 * 1024)

static void
copy_group(TgTreePart *part, int group, const TgTreeGroup *leaves)
{
	part->leaves[group] = palloc0(sizeof(TgTreeGroup));
	if (leaves != NULL)
		*part->leaves[group] = *leaves;
}

static void
add_stored_tree(const TgTreeQuestion *question, Snapshot snapshot, TgTreePart *part)
{
	TgTreeHead	head;

	tg_tree_load_head(question->table, snapshot, &head);
	part->root = head.root;
	part->rows = head.rows;
	part->has_groups = head.root != question->root;
	if (part->has_groups)
		memcpy(part->groups, head.groups, sizeof(part->groups));
	for (int group = 0; group < TG_TREE_GROUPS; group++)
	{
		if (!tg_group_set_has(&question->leaves_of, group))
			continue;
		part->leaves[group] = palloc(sizeof(TgTreeGroup));
		(void) tg_tree_load_group(question->table, group, snapshot, part->leaves[group]);
	}
}

/*
 * Groups without rows are left out.
 */
static void
add_scanned_tree(Relation rel, Snapshot snapshot, TgTreePart *part)
{
	TgTree	   *tree = tg_tree_create();

	tg_scan_tree(rel, snapshot, TG_SCAN_CONTENTS, max_parallel_maintenance_workers, tree);
	for (int group = 0; group < TG_TREE_GROUPS; group++)
	{
		part->groups[group] = tg_group_digest(tree->groups[group]);
		if (!tg_group_is_empty(tree->groups[group]))
			copy_group(part, group, tree->groups[group]);
	}
	part->root = tg_root_digest(part->groups);
	tg_tree_free(tree);
}

static void
answer_question(const TgTreeRequest *request, const TgTreeQuestion *question,
				Snapshot snapshot, TgTreePart *part)
{
	TgTableState state;
	Relation	rel;

	part->table = question->table;
	part->status = TG_TABLE_MISSING;
	if (!tg_table_state_get(question->table, &state) || !OidIsValid(state.relid))
		return;
	rel = try_relation_open(state.relid, AccessShareLock);
	if (rel == NULL)
		return;
	if (tg_table_id(rel) == question->table)
	{
		part->status = state.status;
		part->fingerprint = tg_table_get(rel)->fingerprint;
		part->truncation = tg_truncation_find(question->table);
		if (request->kind == TG_SCAN_CONTENTS)
			add_scanned_tree(rel, snapshot, part);
		else
			add_stored_tree(question, snapshot, part);
	}
	relation_close(rel, AccessShareLock);
}

/*
 * Lock the tables before the fold is locked: whoever changes a table takes the
 * locks in this order.
 */
static void
lock_tables(const TgTreeRequest *request)
{
	for (uint32 i = 0; i < request->nquestions; i++)
	{
		Oid			relid = tg_table_relid(request->questions[i].table);

		if (OidIsValid(relid))
			LockRelationOid(relid, AccessShareLock);
	}
}

/*
 * Answer a tree request, in the current memory context.  How far the asker's
 * journal is merged is read first, so that all of it is in the trees.  Stored
 * trees are brought up to date in this transaction, which should end soon
 * after; nobody else folds until then.
 */
StringInfo
tg_answer_tree(const TgTreeRequest *request)
{
	StringInfo	buf = makeStringInfo();
	TgPeer		asker;
	Snapshot	snapshot;
	TgTreeAnswer answer = {
		.sender = tg_node_id_required(),
		.epoch = request->asker.epoch,
		.merged = tg_cursor_after(0),
		.gc_floor = tg_gc_floor(),
		.nparts = request->nquestions,
		.parts = palloc0(Max(request->nquestions, 1) * sizeof(TgTreePart))
	};

	if (tg_peer_get(request->asker.node, &asker))
		answer.merged = asker.cursor;
	lock_tables(request);
	if (request->nquestions > 0 && request->kind == TG_SCAN_STAMPS)
		tg_fold_now();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	answer.position = request->kind == TG_SCAN_STAMPS ? tg_folded_position(snapshot) :
		tg_last_position();
	for (uint32 i = 0; i < request->nquestions; i++)
		answer_question(request, &request->questions[i], snapshot, &answer.parts[i]);
	UnregisterSnapshot(snapshot);

	tg_wire_write_tree_answer(buf, &answer);
	return buf;
}

/* A chunk of keys that is being filled. */
typedef struct Chunk
{
	TgKeysHead	head;
	StringInfoData rows;
	StringInfoData message;
	TgSendChunk send;
	void	   *arg;
} Chunk;

static void
send_chunk(Chunk *chunk)
{
	resetStringInfo(&chunk->message);
	tg_wire_write_keys_head(&chunk->message, &chunk->head);
	appendBinaryStringInfo(&chunk->message, chunk->rows.data, chunk->rows.len);
	chunk->send(chunk->arg, tg_bytes_of_buf(&chunk->message));
	resetStringInfo(&chunk->rows);
	chunk->head.nrows = 0;
}

/*
 * Answer a keys request: hand chunk after chunk to "send", the last one marked
 * as such.  Locks the table with ACCESS SHARE.
 */
void
tg_answer_keys(const TgKeysRequest *request, TgSendChunk send, void *arg)
{
	Relation	rel = tg_open_comparable(request->table);
	Snapshot	snapshot;
	TgLeafRows *rows;
	TgLeafRow	row;
	Chunk		chunk = {
		.head.sender = tg_node_id_required(),
		.head.kind = request->kind,
		.send = send,
		.arg = arg
	};

	tg_require_alike(rel, request->fingerprint, request->asker.node);
	initStringInfo(&chunk.rows);
	initStringInfo(&chunk.message);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	rows = tg_leaf_rows_open(rel, snapshot, request->kind, &request->leaves);
	while (tg_leaf_rows_next(rows, &row))
	{
		if (chunk.rows.len >= CHUNK_BYTES)
			send_chunk(&chunk);
		tg_wire_write_leaf_row(&chunk.rows, request->kind, &row);
		chunk.head.nrows++;
	}
	tg_leaf_rows_close(rows);
	UnregisterSnapshot(snapshot);
	chunk.head.is_last = true;
	send_chunk(&chunk);
	relation_close(rel, NoLock);
}
