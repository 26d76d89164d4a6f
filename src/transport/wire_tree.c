/*-------------------------------------------------------------------------
 *
 * src/transport/wire_tree.c
 *	  Messages by which two nodes compare and repair a table, and their
 *	  bytes.  Pure.
 *
 * The same rules as in wire.c: one way to write a message, and a read function
 * returns false if the bytes are not such a message.  Bytes that it hands out
 * lie in the reader's buffer, arrays in the current memory context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/wire_part.h"
#include "transport/wire_tree.h"
#include "utils/memutils.h"

/* The least that each of these can take. */
#define MIN_QUESTION_BYTES	(4 + 8 + 2)
#define MIN_PART_BYTES		(4 + 1 + 8 + 8 + 8 + 8 + 1 + 2)
#define MIN_ROW_BYTES		(2 + 8 + 4 + 1)
#define MIN_VERSION_BYTES	(4 + 1 + 1 + 8)
#define VERDICT_BYTES		(1 + 1 + 8)
#define MIN_KEY_BYTES		(4 + 1)
#define ROW_STATE_BYTES		(1 + 8 + 8)

static bool
is_read(TgReader *reader)
{
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}

static void *
make_array(uint32 count, Size size)
{
	return palloc_extended(Max(count, 1) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static TgScanKind
read_scan_kind(TgReader *reader)
{
	return tg_wire_read_bool(reader) ? TG_SCAN_CONTENTS : TG_SCAN_STAMPS;
}

static void
write_scan_kind(StringInfo buf, TgScanKind kind)
{
	tg_wire_write_bool(buf, kind == TG_SCAN_CONTENTS);
}

static TgBytes
read_key(TgReader *reader)
{
	TgBytes		key = tg_read_counted(reader);

	if (key.len == 0)
		tg_reader_fail(reader);
	return key;
}

static int
count_groups(const TgGroupSet *set)
{
	int			n = 0;

	for (int group = 0; group < TG_TREE_GROUPS; group++)
		n += tg_group_set_has(set, group) ? 1 : 0;
	return n;
}

static void
write_question(StringInfo buf, const TgTreeQuestion *question)
{
	tg_write_u32(buf, question->table);
	tg_write_u64(buf, question->root);
	tg_write_u16(buf, count_groups(&question->leaves_of));
	for (int group = 0; group < TG_TREE_GROUPS; group++)
		if (tg_group_set_has(&question->leaves_of, group))
			tg_write_u8(buf, group);
}

/*
 * The numbers of groups that follow each other: the next one, -1 after the
 * last.  They ascend.
 */
static int
read_group(TgReader *reader, int *left, int before)
{
	int			group;

	if (*left == 0 || !tg_reader_ok(reader))
		return -1;
	(*left)--;
	group = tg_read_u8(reader);
	if (group > before && tg_reader_ok(reader))
		return group;
	tg_reader_fail(reader);
	return -1;
}

static void
read_question(TgReader *reader, TgTreeQuestion *question)
{
	int			ngroups;

	question->table = tg_wire_read_table(reader);
	question->root = tg_read_u64(reader);
	ngroups = tg_read_u16(reader);
	for (int group = -1; (group = read_group(reader, &ngroups, group)) >= 0;)
		tg_group_set_add(&question->leaves_of, group);
}

/*
 * Append a tree request.
 */
void
tg_wire_write_tree(StringInfo buf, const TgTreeRequest *request)
{
	tg_wire_write_sign(buf, TG_MESSAGE_TREE);
	tg_wire_write_speaker(buf, &request->asker);
	write_scan_kind(buf, request->kind);
	tg_write_u32(buf, request->nquestions);
	for (uint32 i = 0; i < request->nquestions; i++)
		write_question(buf, &request->questions[i]);
}

/*
 * Read a tree request.  It must be all that the reader holds.
 */
bool
tg_wire_read_tree(TgReader *reader, TgTreeRequest *request)
{
	tg_wire_read_sign(reader, TG_MESSAGE_TREE);
	request->asker = tg_wire_read_speaker(reader);
	request->kind = read_scan_kind(reader);
	request->nquestions = tg_wire_read_count(reader, MIN_QUESTION_BYTES);
	request->questions = make_array(request->nquestions, sizeof(TgTreeQuestion));
	for (uint32 i = 0; i < request->nquestions && tg_reader_ok(reader); i++)
		read_question(reader, &request->questions[i]);
	return is_read(reader);
}

static void
write_leaves(StringInfo buf, const TgTreePart *part)
{
	int			n = 0;

	for (int group = 0; group < TG_TREE_GROUPS; group++)
		n += part->leaves[group] != NULL ? 1 : 0;
	tg_write_u16(buf, n);
	for (int group = 0; group < TG_TREE_GROUPS; group++)
	{
		if (part->leaves[group] == NULL)
			continue;
		tg_write_u8(buf, group);
		tg_group_write(buf, part->leaves[group]);
	}
}

static void
read_leaves(TgReader *reader, TgTreePart *part)
{
	int			ngroups = tg_read_u16(reader);

	for (int group = -1; (group = read_group(reader, &ngroups, group)) >= 0;)
	{
		if (tg_reader_left(reader) < TG_GROUP_BYTES)
		{
			tg_reader_fail(reader);
			return;
		}
		part->leaves[group] = palloc(sizeof(TgTreeGroup));
		if (!tg_group_read(reader, part->leaves[group]))
			tg_reader_fail(reader);
	}
}

static void
write_part(StringInfo buf, const TgTreePart *part)
{
	tg_write_u32(buf, part->table);
	tg_write_u8(buf, part->status);
	tg_write_u64(buf, part->fingerprint);
	tg_write_u64(buf, part->truncation);
	tg_write_u64(buf, part->root);
	tg_write_u64(buf, part->rows);
	tg_wire_write_bool(buf, part->has_groups);
	for (int i = 0; i < (part->has_groups ? TG_TREE_GROUPS : 0); i++)
		tg_write_u64(buf, part->groups[i]);
	write_leaves(buf, part);
}

static void
read_part(TgReader *reader, TgTreePart *part)
{
	part->table = tg_wire_read_table(reader);
	part->status = tg_read_u8(reader);
	if (part->status > TG_TABLE_MISSING)
		tg_reader_fail(reader);
	part->fingerprint = tg_read_u64(reader);
	part->truncation = tg_wire_read_stamp(reader);
	part->root = tg_read_u64(reader);
	part->rows = tg_read_u64(reader);
	part->has_groups = tg_wire_read_bool(reader);
	for (int i = 0; i < (part->has_groups ? TG_TREE_GROUPS : 0); i++)
		part->groups[i] = tg_read_u64(reader);
	read_leaves(reader, part);
}

/*
 * Append the answer to a tree request.
 */
void
tg_wire_write_tree_answer(StringInfo buf, const TgTreeAnswer *answer)
{
	tg_wire_write_sign(buf, TG_MESSAGE_TREE_ANSWER);
	tg_write_u16(buf, answer->sender);
	tg_write_u64(buf, answer->epoch);
	tg_write_u64(buf, answer->position);
	tg_wire_write_cursor(buf, answer->merged);
	tg_write_u64(buf, answer->gc_floor);
	tg_write_u32(buf, answer->nparts);
	for (uint32 i = 0; i < answer->nparts; i++)
		write_part(buf, &answer->parts[i]);
}

/*
 * Read the answer to a tree request.  It must be all that the reader holds.
 */
bool
tg_wire_read_tree_answer(TgReader *reader, TgTreeAnswer *answer)
{
	tg_wire_read_sign(reader, TG_MESSAGE_TREE_ANSWER);
	answer->sender = tg_wire_read_node(reader);
	answer->epoch = tg_read_u64(reader);
	answer->position = tg_read_u64(reader);
	answer->merged = tg_wire_read_cursor(reader);
	answer->gc_floor = tg_wire_read_stamp(reader);
	answer->nparts = tg_wire_read_count(reader, MIN_PART_BYTES);
	answer->parts = make_array(answer->nparts, sizeof(TgTreePart));
	for (uint32 i = 0; i < answer->nparts && tg_reader_ok(reader); i++)
		read_part(reader, &answer->parts[i]);
	return is_read(reader);
}

static uint32
count_leaves(const TgLeafSet *set)
{
	uint32		n = 0;

	for (uint32 leaf = 0; leaf < TG_TREE_LEAVES; leaf++)
		n += tg_leaf_set_has(set, leaf) ? 1 : 0;
	return n;
}

/*
 * Append a keys request.
 */
void
tg_wire_write_keys(StringInfo buf, const TgKeysRequest *request)
{
	tg_wire_write_sign(buf, TG_MESSAGE_KEYS);
	tg_wire_write_speaker(buf, &request->asker);
	tg_write_u32(buf, request->table);
	tg_write_u64(buf, request->fingerprint);
	write_scan_kind(buf, request->kind);
	tg_write_u32(buf, count_leaves(&request->leaves));
	for (uint32 leaf = 0; leaf < TG_TREE_LEAVES; leaf++)
		if (tg_leaf_set_has(&request->leaves, leaf))
			tg_write_u16(buf, leaf);
}

/*
 * Read a keys request.  It must be all that the reader holds.
 */
bool
tg_wire_read_keys(TgReader *reader, TgKeysRequest *request)
{
	int			before = -1;

	memset(&request->leaves, 0, sizeof(request->leaves));
	tg_wire_read_sign(reader, TG_MESSAGE_KEYS);
	request->asker = tg_wire_read_speaker(reader);
	request->table = tg_wire_read_table(reader);
	request->fingerprint = tg_read_u64(reader);
	request->kind = read_scan_kind(reader);
	for (uint32 left = tg_wire_read_count(reader, sizeof(uint16)); left > 0; left--)
	{
		int			leaf = tg_read_u16(reader);

		if (leaf <= before)
			tg_reader_fail(reader);
		if (!tg_reader_ok(reader))
			break;
		tg_leaf_set_add(&request->leaves, leaf);
		before = leaf;
	}
	return is_read(reader);
}

/*
 * Append the head of a chunk of keys.  head->nrows rows must follow.
 */
void
tg_wire_write_keys_head(StringInfo buf, const TgKeysHead *head)
{
	tg_wire_write_sign(buf, TG_MESSAGE_KEYS_CHUNK);
	tg_write_u16(buf, head->sender);
	write_scan_kind(buf, head->kind);
	tg_wire_write_bool(buf, head->is_last);
	tg_write_u32(buf, head->nrows);
}

/*
 * Read the head of a chunk of keys.  head->nrows rows follow, and after the
 * last one the reader must be at its end.
 */
bool
tg_wire_read_keys_head(TgReader *reader, TgKeysHead *head)
{
	tg_wire_read_sign(reader, TG_MESSAGE_KEYS_CHUNK);
	head->sender = tg_wire_read_node(reader);
	head->kind = read_scan_kind(reader);
	head->is_last = tg_wire_read_bool(reader);
	head->nrows = tg_wire_read_count(reader, MIN_ROW_BYTES);
	return tg_reader_ok(reader);
}

/*
 * Append a row of a chunk of this kind.
 */
void
tg_wire_write_leaf_row(StringInfo buf, TgScanKind kind, const TgLeafRow *row)
{
	tg_write_u16(buf, row->leaf);
	tg_write_u64(buf, row->stamp);
	if (kind == TG_SCAN_CONTENTS)
		tg_write_u64(buf, row->digest);
	tg_write_counted(buf, row->key.data, row->key.len);
}

/*
 * Read a row of a chunk of this kind.
 */
bool
tg_wire_read_leaf_row(TgReader *reader, TgScanKind kind, TgLeafRow *row)
{
	row->leaf = tg_read_u16(reader);
	row->stamp = tg_wire_read_stamp(reader);
	row->digest = kind == TG_SCAN_CONTENTS ? tg_read_u64(reader) : 0;
	row->key = read_key(reader);
	return tg_reader_ok(reader);
}

static TgVersionKind
read_version_kind(TgReader *reader)
{
	uint8		kind = tg_read_u8(reader);

	if (kind > TG_VERSION_DELETED)
		tg_reader_fail(reader);
	return kind;
}

static void
write_version(StringInfo buf, const TgKeyVersion *version)
{
	tg_write_u8(buf, version->kind);
	tg_write_u64(buf, version->stamp);
	tg_write_counted(buf, version->key.data, version->key.len);
}

static void
read_version(TgReader *reader, TgKeyVersion *version)
{
	version->kind = read_version_kind(reader);
	version->stamp = tg_wire_read_stamp(reader);
	if (version->kind == TG_VERSION_NONE && version->stamp != TG_NO_STAMP)
		tg_reader_fail(reader);
	version->key = read_key(reader);
}

/*
 * Append a versions request.
 */
void
tg_wire_write_versions(StringInfo buf, const TgVersionsRequest *request)
{
	tg_wire_write_sign(buf, TG_MESSAGE_VERSIONS);
	tg_wire_write_speaker(buf, &request->asker);
	tg_write_u32(buf, request->table);
	tg_write_u64(buf, request->fingerprint);
	tg_wire_write_bool(buf, request->returning);
	tg_write_u64(buf, request->known);
	tg_write_u64(buf, request->truncation);
	tg_write_u32(buf, request->max_bytes);
	tg_write_u32(buf, request->nkeys);
	for (uint32 i = 0; i < request->nkeys; i++)
		write_version(buf, &request->keys[i]);
}

/*
 * Read a versions request.  It must be all that the reader holds.
 */
bool
tg_wire_read_versions(TgReader *reader, TgVersionsRequest *request)
{
	tg_wire_read_sign(reader, TG_MESSAGE_VERSIONS);
	request->asker = tg_wire_read_speaker(reader);
	request->table = tg_wire_read_table(reader);
	request->fingerprint = tg_read_u64(reader);
	request->returning = tg_wire_read_bool(reader);
	request->known = tg_wire_read_stamp(reader);
	if (!request->returning && request->known != TG_NO_STAMP)
		tg_reader_fail(reader);
	request->truncation = tg_wire_read_stamp(reader);
	request->max_bytes = tg_read_u32(reader);
	request->nkeys = tg_wire_read_count(reader, MIN_VERSION_BYTES);
	request->keys = make_array(request->nkeys, sizeof(TgKeyVersion));
	for (uint32 i = 0; i < request->nkeys && tg_reader_ok(reader); i++)
		read_version(reader, &request->keys[i]);
	return is_read(reader);
}

static void
write_verdict(StringInfo buf, const TgVerdict *verdict)
{
	tg_write_u8(buf, verdict->sent);
	tg_wire_write_bool(buf, verdict->wanted);
	tg_write_u64(buf, verdict->stamp);
}

static void
read_verdict(TgReader *reader, TgVerdict *verdict)
{
	verdict->sent = read_version_kind(reader);
	verdict->wanted = tg_wire_read_bool(reader);
	verdict->stamp = tg_wire_read_stamp(reader);
}

/*
 * Append the answer to a versions request.
 */
void
tg_wire_write_versions_answer(StringInfo buf, const TgVersionsAnswer *answer)
{
	tg_wire_write_sign(buf, TG_MESSAGE_VERSIONS_ANSWER);
	tg_write_u16(buf, answer->sender);
	tg_wire_write_bool(buf, answer->wants_truncation);
	tg_write_u32(buf, answer->nverdicts);
	for (uint32 i = 0; i < answer->nverdicts; i++)
		write_verdict(buf, &answer->verdicts[i]);
	tg_write_counted(buf, answer->answer.data, answer->answer.len);
}

/*
 * Read the answer to a versions request.  It must be all that the reader
 * holds; what is in it of changes is still to be read.
 */
bool
tg_wire_read_versions_answer(TgReader *reader, TgVersionsAnswer *answer)
{
	tg_wire_read_sign(reader, TG_MESSAGE_VERSIONS_ANSWER);
	answer->sender = tg_wire_read_node(reader);
	answer->wants_truncation = tg_wire_read_bool(reader);
	answer->nverdicts = tg_wire_read_count(reader, VERDICT_BYTES);
	answer->verdicts = make_array(answer->nverdicts, sizeof(TgVerdict));
	for (uint32 i = 0; i < answer->nverdicts && tg_reader_ok(reader); i++)
		read_verdict(reader, &answer->verdicts[i]);
	answer->answer = tg_read_counted(reader);
	return is_read(reader);
}

/*
 * Append a rows request.
 */
void
tg_wire_write_rows(StringInfo buf, const TgRowsRequest *request)
{
	tg_wire_write_sign(buf, TG_MESSAGE_ROWS);
	tg_wire_write_speaker(buf, &request->asker);
	tg_write_u32(buf, request->table);
	tg_write_u64(buf, request->fingerprint);
	tg_write_u32(buf, request->nkeys);
	for (uint32 i = 0; i < request->nkeys; i++)
		tg_write_counted(buf, request->keys[i].data, request->keys[i].len);
}

/*
 * Read a rows request.  It must be all that the reader holds.
 */
bool
tg_wire_read_rows(TgReader *reader, TgRowsRequest *request)
{
	tg_wire_read_sign(reader, TG_MESSAGE_ROWS);
	request->asker = tg_wire_read_speaker(reader);
	request->table = tg_wire_read_table(reader);
	request->fingerprint = tg_read_u64(reader);
	request->nkeys = tg_wire_read_count(reader, MIN_KEY_BYTES);
	request->keys = make_array(request->nkeys, sizeof(TgBytes));
	for (uint32 i = 0; i < request->nkeys && tg_reader_ok(reader); i++)
		request->keys[i] = read_key(reader);
	return is_read(reader);
}

static void
read_row_state(TgReader *reader, TgRowState *row)
{
	row->exists = tg_wire_read_bool(reader);
	row->stamp = tg_wire_read_stamp(reader);
	row->digest = tg_read_u64(reader);
	if (!row->exists && row->digest != 0)
		tg_reader_fail(reader);
}

/*
 * Append the answer to a rows request.
 */
void
tg_wire_write_rows_answer(StringInfo buf, const TgRowsAnswer *answer)
{
	tg_wire_write_sign(buf, TG_MESSAGE_ROWS_ANSWER);
	tg_write_u16(buf, answer->sender);
	tg_write_u64(buf, answer->position);
	tg_write_u32(buf, answer->nrows);
	for (uint32 i = 0; i < answer->nrows; i++)
	{
		tg_wire_write_bool(buf, answer->rows[i].exists);
		tg_write_u64(buf, answer->rows[i].stamp);
		tg_write_u64(buf, answer->rows[i].digest);
	}
}

/*
 * Read the answer to a rows request.  It must be all that the reader holds.
 */
bool
tg_wire_read_rows_answer(TgReader *reader, TgRowsAnswer *answer)
{
	tg_wire_read_sign(reader, TG_MESSAGE_ROWS_ANSWER);
	answer->sender = tg_wire_read_node(reader);
	answer->position = tg_read_u64(reader);
	answer->nrows = tg_wire_read_count(reader, ROW_STATE_BYTES);
	answer->rows = make_array(answer->nrows, sizeof(TgRowState));
	for (uint32 i = 0; i < answer->nrows && tg_reader_ok(reader); i++)
		read_row_state(reader, &answer->rows[i]);
	return is_read(reader);
}
