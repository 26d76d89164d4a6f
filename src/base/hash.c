/*-------------------------------------------------------------------------
 *
 * src/base/hash.c
 *	  The one hash whose values nodes compare: XXH3 of 64 bits.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash.h"

/*
 * The same for the same bytes on every machine and in every version.
 */
uint64
tg_hash64(const void *data, Size len)
{
	return XXH3_64bits(data, len);
}
