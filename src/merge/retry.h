/*-------------------------------------------------------------------------
 *
 * src/merge/retry.h
 *	  Trying again what is in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_RETRY_H
#define TG_MERGE_RETRY_H

#include "base/bytes.h"
#include "base/types.h"

extern int64 tg_retry_due(void);
extern int64 tg_retry_all(TgTableId table, const TgBytes *key);

#endif							/* TG_MERGE_RETRY_H */
