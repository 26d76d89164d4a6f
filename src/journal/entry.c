/*-------------------------------------------------------------------------
 *
 * src/journal/entry.c
 *	  One change of one key, and its bytes in the journal.  Pure.
 *
 * An entry is
 *
 *		head		8 bits: op in the low three, then the flags below
 *		table		number
 *		new stamp	64 bits, if HAS_NEW_STAMP
 *		old stamp	64 bits, if HAS_OLD_STAMP
 *		key length	number, not for TRUNCATE and BEGIN
 *		key			so many bytes
 *
 * A number is seven bits a byte, low ones first, the top bit set in all bytes
 * but the last, in as few bytes as it takes.  There is one way to write an
 * entry: the reader takes no other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "journal/entry.h"
#include "port/pg_bswap.h"

#define OP_MASK				0x07
#define HAD_ROW				0x08
#define HAS_NEW_STAMP		0x10
#define HAS_OLD_STAMP		0x20
#define UNUSED_BITS			0xC0

#define MAX_NUMBER_BYTES	5	/* of 32 bits */
#define MAX_HEAD_BYTES		(1 + 2 * MAX_NUMBER_BYTES + 2 * sizeof(TgStamp))

/*
 * Do the parts of the entry go together?
 */
static bool
is_sound(const TgEntry *entry)
{
	if (entry->table <= 0)
		return false;
	if (!tg_stamp_is_valid(entry->new_stamp) ||
		!tg_stamp_is_valid(entry->old_stamp))
		return false;
	if (entry->old_stamp != TG_NO_STAMP && !entry->had_row)
		return false;

	switch (entry->op)
	{
		case TG_OP_INSERT:
			return !entry->had_row && entry->key.len > 0;
		case TG_OP_UPDATE:
			return entry->had_row && entry->key.len > 0;
		case TG_OP_DELETE:
		case TG_OP_ANNOUNCE:
			return entry->key.len > 0;
		case TG_OP_TRUNCATE:
			return entry->old_stamp == TG_NO_STAMP && entry->key.len == 0;
		case TG_OP_BEGIN:
			return !entry->had_row && entry->new_stamp == TG_NO_STAMP && entry->key.len == 0;
	}
	return false;
}

static bool
has_key(TgOp op)
{
	return op != TG_OP_TRUNCATE && op != TG_OP_BEGIN;
}

static char *
put_number(char *at, uint32 number)
{
	while (number >= 0x80)
	{
		*at++ = (char) (number | 0x80);
		number >>= 7;
	}
	*at++ = (char) number;
	return at;
}

static char *
put_stamp(char *at, TgStamp stamp)
{
	stamp = pg_hton64(stamp);
	memcpy(at, &stamp, sizeof(stamp));
	return at + sizeof(stamp);
}

/*
 * The next number.  The reader fails if it is longer than it need be, or than
 * 32 bits.
 */
static uint32
read_number(TgReader *reader)
{
	uint64		number = 0;
	uint8		byte = 0;

	for (int i = 0; i < MAX_NUMBER_BYTES; i++)
	{
		byte = tg_read_u8(reader);
		number |= (uint64) (byte & 0x7F) << (7 * i);
		if ((byte & 0x80) == 0)
		{
			if ((byte == 0 && i > 0) || number > PG_UINT32_MAX)
				tg_reader_fail(reader);
			return (uint32) number;
		}
	}
	tg_reader_fail(reader);
	return 0;
}

/*
 * The next stamp, which is there only if the flag is set.
 */
static TgStamp
read_stamp(TgReader *reader, bool present)
{
	TgStamp		stamp;

	if (!present)
		return TG_NO_STAMP;

	stamp = tg_read_u64(reader);
	if (stamp == TG_NO_STAMP)
		tg_reader_fail(reader);
	return stamp;
}

/*
 * Append the entry's bytes.  Entries stand one after the other without
 * anything between them.
 */
void
tg_entry_write(StringInfo buf, const TgEntry *entry)
{
	char		head[MAX_HEAD_BYTES];
	char	   *at = head;

	if (!is_sound(entry))
		elog(ERROR, "journal entry of table %d with operation %d is not sound",
			 entry->table, entry->op);

	*at++ = (char) (entry->op |
					(entry->had_row ? HAD_ROW : 0) |
					(entry->new_stamp != TG_NO_STAMP ? HAS_NEW_STAMP : 0) |
					(entry->old_stamp != TG_NO_STAMP ? HAS_OLD_STAMP : 0));
	at = put_number(at, entry->table);
	if (entry->new_stamp != TG_NO_STAMP)
		at = put_stamp(at, entry->new_stamp);
	if (entry->old_stamp != TG_NO_STAMP)
		at = put_stamp(at, entry->old_stamp);
	if (has_key(entry->op))
		at = put_number(at, entry->key.len);

	tg_write_bytes(buf, head, at - head);
	if (entry->key.len > 0)
		tg_write_bytes(buf, entry->key.data, entry->key.len);
}

/*
 * Read the next entry.  Its key lies in the reader's bytes.  If the answer is
 * not TG_ENTRY_OK, *entry is of no use; after TG_ENTRY_BROKEN, nor is what
 * follows, and the reader has failed.
 */
TgEntryStatus
tg_entry_read(TgReader *reader, TgEntry *entry)
{
	uint8		head;

	if (tg_reader_ok(reader) && tg_reader_at_end(reader))
		return TG_ENTRY_END;

	head = tg_read_u8(reader);
	entry->op = head & OP_MASK;
	entry->had_row = (head & HAD_ROW) != 0;
	entry->table = (TgTableId) read_number(reader);
	entry->new_stamp = read_stamp(reader, head & HAS_NEW_STAMP);
	entry->old_stamp = read_stamp(reader, head & HAS_OLD_STAMP);
	entry->key.data = NULL;
	entry->key.len = 0;
	if (has_key(entry->op))
	{
		entry->key.len = read_number(reader);
		entry->key.data = tg_read_bytes(reader, entry->key.len);
	}

	if (!tg_reader_ok(reader) || (head & UNUSED_BITS) || !is_sound(entry))
	{
		tg_reader_fail(reader);
		return TG_ENTRY_BROKEN;
	}
	return TG_ENTRY_OK;
}
