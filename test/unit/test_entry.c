/*-------------------------------------------------------------------------
 *
 * test/unit/test_entry.c
 *	  Entries of the journal and their bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "journal/entry.h"
#include "unit.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(test_entry);

#define MAX_ENTRIES		50

static TgStamp
stamp_or_none(void)
{
	return unit_one_in(4) ? TG_NO_STAMP : unit_stamp();
}

/*
 * An entry such as capture or merge could make.
 */
static TgEntry
random_entry(void)
{
	static const TgOp ops[] = {
		TG_OP_INSERT, TG_OP_UPDATE, TG_OP_DELETE, TG_OP_TRUNCATE, TG_OP_ANNOUNCE, TG_OP_BEGIN
	};
	TgEntry		entry = {.op = ops[unit_below(lengthof(ops))]};

	entry.table = 1 + unit_edgy(PG_INT32_MAX - 1);
	if (entry.op == TG_OP_BEGIN)
		return entry;
	entry.new_stamp = stamp_or_none();
	if (entry.op == TG_OP_TRUNCATE)
	{
		entry.had_row = unit_one_in(2);
		return entry;
	}
	if (entry.op == TG_OP_UPDATE ||
		(entry.op != TG_OP_INSERT && unit_one_in(2)))
	{
		entry.had_row = true;
		entry.old_stamp = stamp_or_none();
	}
	entry.key = unit_one_in(20) ? unit_bytes(1, 300) : unit_bytes(1, 20);
	return entry;
}

static bool
is_equal(const TgEntry *a, const TgEntry *b)
{
	return a->table == b->table &&
		a->op == b->op &&
		a->had_row == b->had_row &&
		a->old_stamp == b->old_stamp &&
		a->new_stamp == b->new_stamp &&
		unit_same_bytes(a->key, b->key);
}

static void
make_entry(StringInfo buf)
{
	TgEntry		entry = random_entry();

	tg_entry_write(buf, &entry);
}

static bool
copy_entry(TgReader *reader, StringInfo out)
{
	bool		is_empty = tg_reader_at_end(reader);
	const char *begin = reader->at;
	TgEntry		entry;
	TgEntryStatus status = tg_entry_read(reader, &entry);

	CHECK((status == TG_ENTRY_END) == is_empty);
	CHECK((status == TG_ENTRY_BROKEN) == !tg_reader_ok(reader));
	if (status != TG_ENTRY_OK)
	{
		/* Nothing can be read after it; a loop over it ends. */
		CHECK(tg_entry_read(reader, &entry) == status);
		return false;
	}

	CHECK(entry.key.len == 0 ||
		  (entry.key.data > begin && entry.key.data + entry.key.len == reader->at));
	tg_entry_write(out, &entry);
	return true;
}

static const UnitCodec codecs[] = {
	{"entry", make_entry, copy_entry},
};

/*
 * Entries one after the other come back in order, then the end.
 */
static void
check_run(void)
{
	TgEntry		entries[MAX_ENTRIES];
	int			nentries = unit_below(MAX_ENTRIES + 1);
	TgEntry		entry;
	TgReader	reader;
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < nentries; i++)
	{
		entries[i] = random_entry();
		tg_entry_write(&buf, &entries[i]);
	}

	tg_reader_init(&reader, buf.data, buf.len);
	for (int i = 0; i < nentries; i++)
	{
		CHECK(tg_entry_read(&reader, &entry) == TG_ENTRY_OK);
		CHECK(is_equal(&entry, &entries[i]));
	}
	CHECK(tg_entry_read(&reader, &entry) == TG_ENTRY_END);
	CHECK(tg_reader_ok(&reader));
}

#define STAMP_A			UINT64CONST(0xF1E2D3C4B5A69788)
#define STAMP_B			UINT64CONST(0x0102030405060708)
#define KEY				{.data = "key", .len = 3}

/* Entries that do not go together are not written. */
static const TgEntry unsound[] = {
	{.table = 0,.op = TG_OP_INSERT,.new_stamp = STAMP_A,.key = KEY},
	{.table = -1,.op = TG_OP_INSERT,.new_stamp = STAMP_A,.key = KEY},
	{.table = 1,.op = 0,.new_stamp = STAMP_A,.key = KEY},
	{.table = 1,.op = TG_OP_BEGIN + 1,.new_stamp = STAMP_A,.key = KEY},
	{.table = 1,.op = TG_OP_INSERT,.new_stamp = STAMP_A},
	{.table = 1,.op = TG_OP_INSERT,.had_row = true,.new_stamp = STAMP_A,.key = KEY},
	{.table = 1,.op = TG_OP_INSERT,.old_stamp = STAMP_B,.new_stamp = STAMP_A,.key = KEY},
	{.table = 1,.op = TG_OP_INSERT,.new_stamp = UINT64CONST(1) << TG_NODE_BITS,.key = KEY},
	{.table = 1,.op = TG_OP_UPDATE,.new_stamp = STAMP_A,.key = KEY},
	{.table = 1,.op = TG_OP_UPDATE,.had_row = true,.new_stamp = STAMP_A},
	{.table = 1,.op = TG_OP_DELETE,.new_stamp = STAMP_A},
	{.table = 1,.op = TG_OP_ANNOUNCE,.new_stamp = STAMP_A},
	{.table = 1,.op = TG_OP_TRUNCATE,.new_stamp = STAMP_A,.key = KEY},
	{.table = 1,.op = TG_OP_TRUNCATE,.had_row = true,.old_stamp = STAMP_B,.new_stamp = STAMP_A},
	{.table = 1,.op = TG_OP_BEGIN,.key = KEY},
	{.table = 1,.op = TG_OP_BEGIN,.new_stamp = STAMP_A},
	{.table = 1,.op = TG_OP_BEGIN,.had_row = true},
};

static void
write_entry(const void *arg)
{
	StringInfoData buf;

	initStringInfo(&buf);
	tg_entry_write(&buf, arg);
}

static void
make_insert(StringInfo buf)
{
	TgEntry		entry = {.table = 1,.op = TG_OP_INSERT,.new_stamp = STAMP_A,.key = KEY};

	tg_entry_write(buf, &entry);
}

static void
make_update(StringInfo buf)
{
	TgEntry		entry = {.table = 300,.op = TG_OP_UPDATE,.had_row = true,
	.old_stamp = STAMP_B,.new_stamp = STAMP_A,.key = KEY};

	tg_entry_write(buf, &entry);
}

static void
make_delete(StringInfo buf)
{
	TgEntry		entry = {.table = 127,.op = TG_OP_DELETE,.had_row = true,
	.new_stamp = STAMP_A,.key = KEY};

	tg_entry_write(buf, &entry);
}

static void
make_truncate(StringInfo buf)
{
	TgEntry		entry = {.table = PG_INT32_MAX,.op = TG_OP_TRUNCATE,.new_stamp = STAMP_A};

	tg_entry_write(buf, &entry);
}

static void
make_announce(StringInfo buf)
{
	TgEntry		entry = {.table = 128,.op = TG_OP_ANNOUNCE,.key = KEY};

	tg_entry_write(buf, &entry);
}

static void
make_truncate_of_rows(StringInfo buf)
{
	TgEntry		entry = {.table = 16,.op = TG_OP_TRUNCATE,.had_row = true,.new_stamp = STAMP_A};

	tg_entry_write(buf, &entry);
}

static void
make_begin(StringInfo buf)
{
	TgEntry		entry = {.table = 16,.op = TG_OP_BEGIN};

	tg_entry_write(buf, &entry);
}

static const UnitPinned pinned[] = {
	{"insert", make_insert, "11" "01" "f1e2d3c4b5a69788" "03" "6b6579"},
	{"update", make_update, "3a" "ac02" "f1e2d3c4b5a69788" "0102030405060708" "03" "6b6579"},
	{"delete", make_delete, "1b" "7f" "f1e2d3c4b5a69788" "03" "6b6579"},
	{"truncate", make_truncate, "14" "ffffffff07" "f1e2d3c4b5a69788"},
	{"announce", make_announce, "05" "8001" "03" "6b6579"},
	{"truncate of rows", make_truncate_of_rows, "1c" "10" "f1e2d3c4b5a69788"},
	{"begin", make_begin, "06" "10"},
};

/*
 * The suite.
 */
Datum
test_entry(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "entry rounds",
												  ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < rounds / 100; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		check_run();
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	for (int i = 0; i < lengthof(unsound); i++)
		CHECK_SHOWING(unit_sqlstate_of(write_entry, &unsound[i]) == ERRCODE_INTERNAL_ERROR,
					  "case %d", i);
	for (int i = 0; i < lengthof(pinned); i++)
		unit_check_pinned(&pinned[i]);
	for (int i = 0; i < lengthof(codecs); i++)
		unit_check_codec(&codecs[i], rounds / 100);
	PG_RETURN_VOID();
}
