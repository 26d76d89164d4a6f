/*-------------------------------------------------------------------------
 *
 * test/unit/test_wire_tree.c
 *	  Messages by which nodes compare and repair tables, and their bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "transport/wire_tree.h"
#include "unit.h"

PG_FUNCTION_INFO_V1(test_wire_tree);

static TgTableId
random_table(void)
{
	return 1 + unit_edgy(PG_INT32_MAX - 1);
}

static TgStamp
random_stamp(void)
{
	return unit_one_in(4) ? TG_NO_STAMP : unit_stamp();
}

static TgScanKind
random_kind(void)
{
	return unit_one_in(2) ? TG_SCAN_CONTENTS : TG_SCAN_STAMPS;
}

static bool
is_node(TgNodeId node)
{
	return node >= 1 && node <= TG_MAX_NODE;
}

/* Tree request. */

static void
make_tree(StringInfo buf)
{
	TgTreeRequest request = {
		.asker = unit_speaker(),
		.kind = random_kind(),
		.nquestions = unit_below(4),
	};
	TgTreeRequest back;
	TgReader	reader;

	request.questions = palloc0(4 * sizeof(TgTreeQuestion));
	for (uint32 i = 0; i < request.nquestions; i++)
	{
		request.questions[i].table = random_table();
		request.questions[i].root = unit_edgy(PG_UINT64_MAX);
		for (int n = unit_below(5); n > 0; n--)
			tg_group_set_add(&request.questions[i].leaves_of, unit_edgy(TG_TREE_GROUPS - 1));
	}
	tg_wire_write_tree(buf, &request);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_tree(&reader, &back));
	CHECK(unit_is_speaker(&back.asker, &request.asker));
	CHECK(back.kind == request.kind);
	CHECK(back.nquestions == request.nquestions);
	for (uint32 i = 0; i < request.nquestions; i++)
	{
		CHECK(back.questions[i].table == request.questions[i].table);
		CHECK(back.questions[i].root == request.questions[i].root);
		CHECK(memcmp(&back.questions[i].leaves_of, &request.questions[i].leaves_of,
					 sizeof(TgGroupSet)) == 0);
	}
}

static bool
copy_tree(TgReader *reader, StringInfo out)
{
	TgTreeRequest request;

	if (!tg_wire_read_tree(reader, &request))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(request.asker.node));
	for (uint32 i = 0; i < request.nquestions; i++)
		CHECK(request.questions[i].table > 0);
	tg_wire_write_tree(out, &request);
	return true;
}

/* Its answer. */

static TgTreeGroup *
random_group(void)
{
	TgTreeGroup *group = palloc0(sizeof(TgTreeGroup));

	for (int n = unit_below(5); n > 0; n--)
	{
		TgLeafDigest *leaf = &group->leaves[unit_below(TG_GROUP_LEAVES)];

		leaf->sum = unit_edgy(PG_UINT64_MAX);
		leaf->rows = unit_edgy(PG_UINT32_MAX);
	}
	return group;
}

static void
fill_part(TgTreePart *part)
{
	part->table = random_table();
	part->status = unit_below(TG_TABLE_MISSING + 1);
	part->fingerprint = unit_edgy(PG_UINT64_MAX);
	part->truncation = random_stamp();
	part->root = unit_edgy(PG_UINT64_MAX);
	part->rows = unit_edgy(PG_UINT64_MAX);
	part->has_groups = unit_one_in(3);
	for (int i = 0; part->has_groups && i < TG_TREE_GROUPS; i++)
		part->groups[i] = unit_edgy(PG_UINT64_MAX);
	for (int n = unit_below(3); n > 0; n--)
		part->leaves[unit_edgy(TG_TREE_GROUPS - 1)] = random_group();
}

static void
check_part(const TgTreePart *a, const TgTreePart *b)
{
	CHECK(a->table == b->table);
	CHECK(a->status == b->status);
	CHECK(a->fingerprint == b->fingerprint);
	CHECK(a->truncation == b->truncation);
	CHECK(a->root == b->root);
	CHECK(a->rows == b->rows);
	CHECK(a->has_groups == b->has_groups);
	CHECK(memcmp(a->groups, b->groups, sizeof(a->groups)) == 0);
	for (int i = 0; i < TG_TREE_GROUPS; i++)
	{
		CHECK((a->leaves[i] == NULL) == (b->leaves[i] == NULL));
		for (int k = 0; a->leaves[i] != NULL && k < TG_GROUP_LEAVES; k++)
		{
			CHECK(a->leaves[i]->leaves[k].sum == b->leaves[i]->leaves[k].sum);
			CHECK(a->leaves[i]->leaves[k].rows == b->leaves[i]->leaves[k].rows);
		}
	}
}

static void
make_tree_answer(StringInfo buf)
{
	TgTreeAnswer answer = {
		.sender = unit_node(),
		.epoch = unit_edgy(PG_UINT64_MAX),
		.position = unit_edgy(PG_UINT64_MAX),
		.merged = {unit_edgy(PG_UINT64_MAX), unit_edgy(TG_WHOLE_POSITION)},
		.gc_floor = random_stamp(),
		.nparts = unit_below(3),
	};
	TgTreeAnswer back;
	TgReader	reader;

	answer.parts = palloc0(3 * sizeof(TgTreePart));
	for (uint32 i = 0; i < answer.nparts; i++)
		fill_part(&answer.parts[i]);
	tg_wire_write_tree_answer(buf, &answer);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_tree_answer(&reader, &back));
	CHECK(back.sender == answer.sender);
	CHECK(back.epoch == answer.epoch);
	CHECK(back.position == answer.position);
	CHECK(back.merged.position == answer.merged.position);
	CHECK(back.merged.part == answer.merged.part);
	CHECK(back.gc_floor == answer.gc_floor);
	CHECK(back.nparts == answer.nparts);
	for (uint32 i = 0; i < answer.nparts; i++)
		check_part(&back.parts[i], &answer.parts[i]);
}

static bool
copy_tree_answer(TgReader *reader, StringInfo out)
{
	TgTreeAnswer answer;

	if (!tg_wire_read_tree_answer(reader, &answer))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(answer.sender));
	for (uint32 i = 0; i < answer.nparts; i++)
	{
		CHECK(answer.parts[i].table > 0);
		CHECK(answer.parts[i].status <= TG_TABLE_MISSING);
		CHECK(tg_stamp_is_valid(answer.parts[i].truncation));
	}
	tg_wire_write_tree_answer(out, &answer);
	return true;
}

/* Keys request. */

static void
make_keys(StringInfo buf)
{
	TgKeysRequest request = {
		.asker = unit_speaker(),
		.table = random_table(),
		.fingerprint = unit_edgy(PG_UINT64_MAX),
		.kind = random_kind(),
	};
	TgKeysRequest back;
	TgReader	reader;

	for (int n = unit_below(20); n > 0; n--)
		tg_leaf_set_add(&request.leaves, unit_edgy(TG_TREE_LEAVES - 1));
	tg_wire_write_keys(buf, &request);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_keys(&reader, &back));
	CHECK(unit_is_speaker(&back.asker, &request.asker));
	CHECK(back.table == request.table);
	CHECK(back.fingerprint == request.fingerprint);
	CHECK(back.kind == request.kind);
	CHECK(memcmp(&back.leaves, &request.leaves, sizeof(TgLeafSet)) == 0);
}

static bool
copy_keys(TgReader *reader, StringInfo out)
{
	TgKeysRequest request;

	if (!tg_wire_read_keys(reader, &request))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(request.asker.node));
	CHECK(request.table > 0);
	tg_wire_write_keys(out, &request);
	return true;
}

/* Keys, chunk by chunk. */

static void
make_chunk(StringInfo buf)
{
	TgKeysHead	head = {
		.sender = unit_node(),
		.kind = random_kind(),
		.is_last = unit_one_in(2),
		.nrows = unit_below(4),
	};
	TgLeafRow	rows[4];
	TgKeysHead	back;
	TgReader	reader;

	tg_wire_write_keys_head(buf, &head);
	for (uint32 i = 0; i < head.nrows; i++)
	{
		rows[i].leaf = unit_edgy(TG_TREE_LEAVES - 1);
		rows[i].stamp = random_stamp();
		rows[i].digest = head.kind == TG_SCAN_CONTENTS ? unit_edgy(PG_UINT64_MAX) : 0;
		rows[i].key = unit_bytes(1, 30);
		tg_wire_write_leaf_row(buf, head.kind, &rows[i]);
	}
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_keys_head(&reader, &back));
	CHECK(back.sender == head.sender);
	CHECK(back.kind == head.kind);
	CHECK(back.is_last == head.is_last);
	CHECK(back.nrows == head.nrows);
	for (uint32 i = 0; i < head.nrows; i++)
	{
		TgLeafRow	row;

		CHECK(tg_wire_read_leaf_row(&reader, back.kind, &row));
		CHECK(row.leaf == rows[i].leaf);
		CHECK(row.stamp == rows[i].stamp);
		CHECK(row.digest == rows[i].digest);
		CHECK(unit_same_bytes(row.key, rows[i].key));
	}
	CHECK(tg_reader_at_end(&reader));
}

static bool
copy_chunk(TgReader *reader, StringInfo out)
{
	TgKeysHead	head;

	if (!tg_wire_read_keys_head(reader, &head))
		return false;
	CHECK(is_node(head.sender));
	CHECK(head.nrows <= tg_reader_left(reader) / 15);
	tg_wire_write_keys_head(out, &head);
	for (uint32 i = 0; i < head.nrows; i++)
	{
		TgLeafRow	row;

		if (!tg_wire_read_leaf_row(reader, head.kind, &row))
			return false;
		CHECK(row.leaf < TG_TREE_LEAVES);
		CHECK(row.key.len > 0);
		CHECK(tg_stamp_is_valid(row.stamp));
		tg_wire_write_leaf_row(out, head.kind, &row);
	}
	return true;
}

/* Versions request. */

static void
make_versions(StringInfo buf)
{
	TgKeyVersion keys[4];
	TgVersionsRequest request = {
		.asker = unit_speaker(),
		.table = random_table(),
		.fingerprint = unit_edgy(PG_UINT64_MAX),
		.returning = unit_one_in(2),
		.known = TG_NO_STAMP,
		.truncation = random_stamp(),
		.max_bytes = unit_edgy(PG_UINT32_MAX),
		.nkeys = unit_below(4),
		.keys = keys,
	};
	TgVersionsRequest back;
	TgReader	reader;

	if (request.returning)
		request.known = random_stamp();
	for (uint32 i = 0; i < request.nkeys; i++)
	{
		keys[i].key = unit_bytes(1, 30);
		keys[i].kind = unit_below(TG_VERSION_DELETED + 1);
		keys[i].stamp = keys[i].kind == TG_VERSION_NONE ? TG_NO_STAMP : random_stamp();
	}
	tg_wire_write_versions(buf, &request);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_versions(&reader, &back));
	CHECK(unit_is_speaker(&back.asker, &request.asker));
	CHECK(back.table == request.table);
	CHECK(back.fingerprint == request.fingerprint);
	CHECK(back.returning == request.returning);
	CHECK(back.known == request.known);
	CHECK(back.truncation == request.truncation);
	CHECK(back.max_bytes == request.max_bytes);
	CHECK(back.nkeys == request.nkeys);
	for (uint32 i = 0; i < request.nkeys; i++)
	{
		CHECK(unit_same_bytes(back.keys[i].key, keys[i].key));
		CHECK(back.keys[i].kind == keys[i].kind);
		CHECK(back.keys[i].stamp == keys[i].stamp);
	}
}

static bool
copy_versions(TgReader *reader, StringInfo out)
{
	TgVersionsRequest request;

	if (!tg_wire_read_versions(reader, &request))
		return false;
	CHECK(tg_reader_at_end(reader));
	for (uint32 i = 0; i < request.nkeys; i++)
	{
		CHECK(request.keys[i].kind <= TG_VERSION_DELETED);
		CHECK(request.keys[i].key.len > 0);
	}
	tg_wire_write_versions(out, &request);
	return true;
}

/* Its answer. */

static void
make_versions_answer(StringInfo buf)
{
	TgVerdict	verdicts[4];
	TgVersionsAnswer answer = {
		.sender = unit_node(),
		.wants_truncation = unit_one_in(2),
		.nverdicts = unit_below(4),
		.verdicts = verdicts,
		.answer = unit_bytes(0, 30),
	};
	TgVersionsAnswer back;
	TgReader	reader;

	for (uint32 i = 0; i < answer.nverdicts; i++)
	{
		verdicts[i].sent = unit_below(TG_VERSION_DELETED + 1);
		verdicts[i].wanted = unit_one_in(2);
		verdicts[i].stamp = random_stamp();
	}
	tg_wire_write_versions_answer(buf, &answer);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_versions_answer(&reader, &back));
	CHECK(back.sender == answer.sender);
	CHECK(back.wants_truncation == answer.wants_truncation);
	CHECK(back.nverdicts == answer.nverdicts);
	for (uint32 i = 0; i < answer.nverdicts; i++)
	{
		CHECK(back.verdicts[i].sent == verdicts[i].sent);
		CHECK(back.verdicts[i].wanted == verdicts[i].wanted);
		CHECK(back.verdicts[i].stamp == verdicts[i].stamp);
	}
	CHECK(unit_same_bytes(back.answer, answer.answer));
}

static bool
copy_versions_answer(TgReader *reader, StringInfo out)
{
	TgVersionsAnswer answer;

	if (!tg_wire_read_versions_answer(reader, &answer))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(answer.sender));
	tg_wire_write_versions_answer(out, &answer);
	return true;
}

/* Rows request and its answer. */

static void
make_rows(StringInfo buf)
{
	TgBytes		keys[4];
	TgRowsRequest request = {
		.asker = unit_speaker(),
		.table = random_table(),
		.fingerprint = unit_edgy(PG_UINT64_MAX),
		.nkeys = unit_below(4),
		.keys = keys,
	};
	TgRowsRequest back;
	TgReader	reader;

	for (uint32 i = 0; i < request.nkeys; i++)
		keys[i] = unit_bytes(1, 30);
	tg_wire_write_rows(buf, &request);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_rows(&reader, &back));
	CHECK(unit_is_speaker(&back.asker, &request.asker));
	CHECK(back.table == request.table);
	CHECK(back.fingerprint == request.fingerprint);
	CHECK(back.nkeys == request.nkeys);
	for (uint32 i = 0; i < request.nkeys; i++)
		CHECK(unit_same_bytes(back.keys[i], keys[i]));
}

static bool
copy_rows(TgReader *reader, StringInfo out)
{
	TgRowsRequest request;

	if (!tg_wire_read_rows(reader, &request))
		return false;
	CHECK(tg_reader_at_end(reader));
	for (uint32 i = 0; i < request.nkeys; i++)
		CHECK(request.keys[i].len > 0);
	tg_wire_write_rows(out, &request);
	return true;
}

static void
make_rows_answer(StringInfo buf)
{
	TgRowState	rows[4] = {{0}};
	TgRowsAnswer answer = {
		.sender = unit_node(),
		.position = unit_edgy(PG_UINT64_MAX),
		.nrows = unit_below(4),
		.rows = rows,
	};
	TgRowsAnswer back;
	TgReader	reader;

	for (uint32 i = 0; i < answer.nrows; i++)
	{
		rows[i].exists = unit_one_in(2);
		rows[i].stamp = rows[i].exists || unit_one_in(2) ? random_stamp() : TG_NO_STAMP;
		rows[i].digest = rows[i].exists ? unit_edgy(PG_UINT64_MAX) : 0;
	}
	tg_wire_write_rows_answer(buf, &answer);
	tg_reader_init(&reader, buf->data, buf->len);
	CHECK(tg_wire_read_rows_answer(&reader, &back));
	CHECK(back.sender == answer.sender);
	CHECK(back.position == answer.position);
	CHECK(back.nrows == answer.nrows);
	for (uint32 i = 0; i < answer.nrows; i++)
	{
		CHECK(back.rows[i].exists == rows[i].exists);
		CHECK(back.rows[i].stamp == rows[i].stamp);
		CHECK(back.rows[i].digest == rows[i].digest);
	}
}

static bool
copy_rows_answer(TgReader *reader, StringInfo out)
{
	TgRowsAnswer answer;

	if (!tg_wire_read_rows_answer(reader, &answer))
		return false;
	CHECK(tg_reader_at_end(reader));
	CHECK(is_node(answer.sender));
	tg_wire_write_rows_answer(out, &answer);
	return true;
}

static const UnitCodec codecs[] = {
	{"tree request", make_tree, copy_tree},
	{"tree answer", make_tree_answer, copy_tree_answer},
	{"keys request", make_keys, copy_keys},
	{"chunk of keys", make_chunk, copy_chunk},
	{"versions request", make_versions, copy_versions},
	{"versions answer", make_versions_answer, copy_versions_answer},
	{"rows request", make_rows, copy_rows},
	{"rows answer", make_rows_answer, copy_rows_answer},
};

/* Bytes for ever. */

#define BIG				UINT64CONST(0xF1E2D3C4B5A69788)
#define KEY				{.data = "key",.len = 3}

static void
pin_tree(StringInfo buf)
{
	TgTreeQuestion question = {.table = 258,.root = BIG};
	TgTreeRequest request = {.asker = {3, 9, 10, {7, 255}},.kind = TG_SCAN_CONTENTS,
	.nquestions = 1,.questions = &question};

	tg_group_set_add(&question.leaves_of, 255);
	tg_group_set_add(&question.leaves_of, 0);
	tg_wire_write_tree(buf, &request);
}

static void
pin_tree_answer(StringInfo buf)
{
	TgTreePart	part = {.table = 258,.status = TG_TABLE_PAUSED,.fingerprint = BIG,
	.truncation = BIG,.root = BIG + 1,.rows = 77};
	TgTreeAnswer answer = {.sender = 3,.epoch = 9,.position = BIG,.merged = {BIG, 1},
	.gc_floor = BIG,.nparts = 1,.parts = &part};

	tg_wire_write_tree_answer(buf, &answer);
}

static void
pin_keys(StringInfo buf)
{
	TgKeysRequest request = {.asker = {3, 9, 10, {7, 255}},.table = 258,.fingerprint = BIG,
	.kind = TG_SCAN_STAMPS};

	tg_leaf_set_add(&request.leaves, 65535);
	tg_leaf_set_add(&request.leaves, 258);
	tg_wire_write_keys(buf, &request);
}

static void
pin_chunk(StringInfo buf)
{
	TgKeysHead	head = {.sender = 3,.kind = TG_SCAN_CONTENTS,.is_last = true,.nrows = 1};
	TgLeafRow	row = {.leaf = 258,.key = KEY,.stamp = BIG,.digest = 77};

	tg_wire_write_keys_head(buf, &head);
	tg_wire_write_leaf_row(buf, head.kind, &row);
}

static void
pin_versions(StringInfo buf)
{
	TgKeyVersion key = {.key = KEY,.kind = TG_VERSION_ROW,.stamp = BIG};
	TgVersionsRequest request = {.asker = {3, 9, 10, {7, 255}},.table = 258,.fingerprint = BIG,
	.returning = true,.known = BIG,.truncation = BIG,.max_bytes = 65536,.nkeys = 1,.keys = &key};

	tg_wire_write_versions(buf, &request);
}

static void
pin_versions_answer(StringInfo buf)
{
	TgVerdict	verdict = {.sent = TG_VERSION_DELETED,.wanted = true,.stamp = BIG};
	TgVersionsAnswer answer = {.sender = 3,.wants_truncation = true,.nverdicts = 1,
	.verdicts = &verdict,.answer = KEY};

	tg_wire_write_versions_answer(buf, &answer);
}

static void
pin_rows(StringInfo buf)
{
	TgBytes		key = KEY;
	TgRowsRequest request = {.asker = {3, 9, 10, {7, 255}},.table = 258,.fingerprint = BIG,
	.nkeys = 1,.keys = &key};

	tg_wire_write_rows(buf, &request);
}

static void
pin_rows_answer(StringInfo buf)
{
	TgRowState	row = {.exists = true,.stamp = BIG,.digest = 77};
	TgRowsAnswer answer = {.sender = 3,.position = BIG,.nrows = 1,.rows = &row};

	tg_wire_write_rows_answer(buf, &answer);
}

static const UnitPinned pinned[] = {
	{"tree request", pin_tree,
		"54470104" "0003" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff" "01" "00000001"
	"00000102" "f1e2d3c4b5a69788" "0002" "00" "ff"},
	{"tree answer", pin_tree_answer,
		"54470105" "0003" "0000000000000009" "f1e2d3c4b5a69788"
		"f1e2d3c4b5a69788" "00000001" "f1e2d3c4b5a69788" "00000001"
		"00000102" "02" "f1e2d3c4b5a69788" "f1e2d3c4b5a69788" "f1e2d3c4b5a69789"
	"000000000000004d" "00" "0000"},
	{"keys request", pin_keys,
		"54470106" "0003" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff" "00000102" "f1e2d3c4b5a69788"
	"00" "00000002" "0102" "ffff"},
	{"chunk of keys", pin_chunk,
		"54470107" "0003" "01" "01" "00000001"
	"0102" "f1e2d3c4b5a69788" "000000000000004d" "00000003" "6b6579"},
	{"versions request", pin_versions,
		"54470108" "0003" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff" "00000102" "f1e2d3c4b5a69788"
		"01" "f1e2d3c4b5a69788" "f1e2d3c4b5a69788" "00010000" "00000001"
	"01" "f1e2d3c4b5a69788" "00000003" "6b6579"},
	{"versions answer", pin_versions_answer,
		"54470109" "0003" "01" "00000001"
	"02" "01" "f1e2d3c4b5a69788" "00000003" "6b6579"},
	{"rows request", pin_rows,
		"5447010a" "0003" "0000000000000009" "000000000000000a" "00000007" "00000000000000ff" "00000102" "f1e2d3c4b5a69788" "00000001"
	"00000003" "6b6579"},
	{"rows answer", pin_rows_answer,
		"5447010b" "0003" "f1e2d3c4b5a69788" "00000001"
	"01" "f1e2d3c4b5a69788" "000000000000004d"},
};

/*
 * The suite.
 */
Datum
test_wire_tree(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);

	for (int i = 0; i < lengthof(pinned); i++)
		unit_check_pinned(&pinned[i]);
	for (int i = 0; i < lengthof(codecs); i++)
		unit_check_codec(&codecs[i], rounds / 10000);
	PG_RETURN_VOID();
}
