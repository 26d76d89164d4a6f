/*-------------------------------------------------------------------------
 *
 * src/digest/row_digest.c
 *	  Where a row belongs in the tree of its table, and what it adds there.
 *	  Pure.
 *
 * Numbers are hashed as big-endian bytes, so that machines of either kind
 * agree.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/hash.h"
#include "digest/row_digest.h"
#include "port/pg_bswap.h"

#define LEAF_BITS		16		/* of the hash of a key, the top ones */

/*
 * The leaf of a key, 0 to 65,535.
 */
uint32
tg_leaf_of_key(TgBytes key)
{
	return (uint32) (tg_hash64(key.data, key.len) >> (64 - LEAF_BITS));
}

/*
 * The digest of a row: of its table, its key and its stamp.  That is enough,
 * since no two versions of a row have one stamp.
 */
uint64
tg_row_digest(TgTableId table, TgBytes key, TgStamp stamp)
{
	uint32		table_bytes = pg_hton32((uint32) table);
	uint64		stamp_bytes = pg_hton64(stamp);
	TgBytes		parts[] = {
		tg_bytes(&table_bytes, sizeof(table_bytes)),
		key,
		tg_bytes(&stamp_bytes, sizeof(stamp_bytes))
	};

	return tg_hash64_parts(parts, lengthof(parts));
}

/*
 * The digest of a row with all it holds; the image is that of tg_row_write().
 */
uint64
tg_content_digest(uint64 row_digest, TgBytes image)
{
	uint64		digest_bytes = pg_hton64(row_digest);
	TgBytes		parts[] = {tg_bytes(&digest_bytes, sizeof(digest_bytes)), image};

	return tg_hash64_parts(parts, lengthof(parts));
}
