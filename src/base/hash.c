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

#define GATHER_BYTES	512		/* fewer are copied rather than streamed */

/*
 * The same for the same bytes on every machine and in every version.
 */
uint64
tg_hash64(const void *data, Size len)
{
	return XXH3_64bits(data, len);
}

static uint64
stream_parts(const TgBytes *parts, int nparts)
{
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	for (int i = 0; i < nparts; i++)
		XXH3_64bits_update(&state, parts[i].data, parts[i].len);
	return XXH3_64bits_digest(&state);
}

/*
 * The hash of the parts, one after the other as if they were one.
 */
uint64
tg_hash64_parts(const TgBytes *parts, int nparts)
{
	char		gathered[GATHER_BYTES];
	Size		len = 0;

	for (int i = 0; i < nparts; i++)
	{
		if (parts[i].len > GATHER_BYTES - len)
			return stream_parts(parts, nparts);
		memcpy(gathered + len, parts[i].data, parts[i].len);
		len += parts[i].len;
	}
	return XXH3_64bits(gathered, len);
}
