/*-------------------------------------------------------------------------
 *
 * test/unit/test_digest.c
 *	  Digests of rows: the same on every machine, for ever.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/hash.h"
#include "digest/row_digest.h"
#include "unit.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(test_digest);

#define STAMP			UINT64CONST(0xF1E2D3C4B5A69788)
#define LONG_KEY		3072	/* longer than what is hashed in one piece */
#define LONG_IMAGE		76800
#define MAX_PARTS		6
#define MAX_PART_BYTES	400

/* The bytes 0 to 255, over and over. */
static TgBytes
counting_bytes(Size len)
{
	char	   *data = palloc(len);

	for (Size i = 0; i < len; i++)
		data[i] = (char) i;
	return tg_bytes(data, len);
}

/*
 * Figured out with the xxHash library of another language.
 */
static void
check_pinned(void)
{
	TgBytes		word = tg_bytes("key", 3);
	TgBytes		number = tg_bytes("\0\0\0\4\0\0\0\1", 8);
	TgBytes		long_key = counting_bytes(LONG_KEY);
	uint64		digest = tg_row_digest(16, word, STAMP);

	CHECK(tg_hash64("", 0) == UINT64CONST(0x2d06800538d394c2));

	CHECK(tg_leaf_of_key(word) == 48106);
	CHECK(tg_leaf_of_key(number) == 18905);
	CHECK(tg_leaf_of_key(long_key) == 41537);

	CHECK(digest == UINT64CONST(0x1eec04a342c6d004));
	CHECK(tg_row_digest(16, number, STAMP) == UINT64CONST(0x4a65f7f797f31426));
	CHECK(tg_row_digest(16, long_key, STAMP) == UINT64CONST(0x90a5aad920ad9ea2));
	CHECK(tg_row_digest(16, number, TG_NO_STAMP) == UINT64CONST(0x02505c53269b3e0e));
	CHECK(tg_row_digest(PG_INT32_MAX, word, PG_UINT64_MAX) == UINT64CONST(0x51a5082e13d9d489));

	CHECK(tg_content_digest(digest, tg_bytes("image", 5)) == UINT64CONST(0xc455de7f8c02dd5e));
	CHECK(tg_content_digest(digest, tg_bytes("", 0)) == UINT64CONST(0x2c9a99475d6e99a4));
	CHECK(tg_content_digest(digest, counting_bytes(LONG_IMAGE)) == UINT64CONST(0x1848e7b7b6048fbc));
}

/*
 * However the bytes are cut into parts, they have one hash.
 */
static void
check_parts(void)
{
	int			nparts = unit_below(MAX_PARTS + 1);
	TgBytes		parts[MAX_PARTS];
	StringInfoData whole;

	initStringInfo(&whole);
	for (int i = 0; i < nparts; i++)
	{
		parts[i] = unit_bytes(0, unit_one_in(3) ? 10 : MAX_PART_BYTES);
		tg_write_bytes(&whole, parts[i].data, parts[i].len);
	}
	CHECK_SHOWING(tg_hash64_parts(parts, nparts) == tg_hash64(whole.data, whole.len),
				  "%d parts, %d bytes", nparts, whole.len);
}

/*
 * Table, key and stamp: whichever changes, the digest does.  That of the
 * contents follows the digest of the row.
 */
static void
check_differences(void)
{
	TgTableId	table = 1 + unit_edgy(PG_INT32_MAX - 2);
	TgStamp		stamp = unit_stamp();
	StringInfoData key;
	TgBytes		other;
	uint64		digest;

	initStringInfo(&key);
	other = unit_bytes(1, 30);
	tg_write_bytes(&key, other.data, other.len);
	digest = tg_row_digest(table, tg_bytes_of_buf(&key), stamp);

	CHECK(tg_leaf_of_key(tg_bytes_of_buf(&key)) < 65536);
	CHECK(tg_row_digest(table, other, stamp) == digest);
	CHECK(tg_row_digest(table + 1, other, stamp) != digest);
	CHECK(tg_row_digest(table, other, stamp ^ 1) != digest);
	CHECK(tg_row_digest(table, other, TG_NO_STAMP) != digest || stamp == TG_NO_STAMP);
	CHECK(tg_row_digest(table, tg_bytes(other.data, other.len - 1), stamp) != digest);

	key.data[unit_below(key.len)] ^= 1 << unit_below(8);
	CHECK(tg_row_digest(table, tg_bytes_of_buf(&key), stamp) != digest);

	CHECK(tg_content_digest(digest, other) != tg_content_digest(digest ^ 1, other));
	CHECK(tg_content_digest(digest, other) != tg_content_digest(digest, tg_bytes_of_buf(&key)));
}

/*
 * The suite.
 */
Datum
test_digest(PG_FUNCTION_ARGS)
{
	int			rounds = unit_start(fcinfo);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "digest rounds",
												  ALLOCSET_DEFAULT_SIZES);

	check_pinned();
	for (int i = 0; i < rounds / 10; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(scratch);

		check_parts();
		check_differences();
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	PG_RETURN_VOID();
}
