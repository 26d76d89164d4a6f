/*-------------------------------------------------------------------------
 *
 * src/merge/discard.h
 *	  Giving up what is in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_DISCARD_H
#define TG_MERGE_DISCARD_H

#include "base/bytes.h"
#include "base/types.h"

extern int64 tg_discard(TgTableId table, const TgBytes *key);

#endif							/* TG_MERGE_DISCARD_H */
