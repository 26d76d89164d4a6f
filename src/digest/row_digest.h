/*-------------------------------------------------------------------------
 *
 * src/digest/row_digest.h
 *	  Where a row belongs in the tree of its table, and what it adds there.
 *	  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_DIGEST_ROW_DIGEST_H
#define TG_DIGEST_ROW_DIGEST_H

#include "base/bytes.h"
#include "base/types.h"

extern uint32 tg_leaf_of_key(TgBytes key);
extern uint64 tg_row_digest(TgTableId table, TgBytes key, TgStamp stamp);
extern uint64 tg_content_digest(uint64 row_digest, TgBytes image);

#endif							/* TG_DIGEST_ROW_DIGEST_H */
