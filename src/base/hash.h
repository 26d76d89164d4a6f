/*-------------------------------------------------------------------------
 *
 * src/base/hash.h
 *	  The one hash whose values nodes compare: XXH3 of 64 bits.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_HASH_H
#define TG_BASE_HASH_H

#include "base/bytes.h"

extern uint64 tg_hash64(const void *data, Size len);
extern uint64 tg_hash64_parts(const TgBytes *parts, int nparts);

#endif							/* TG_BASE_HASH_H */
