/*-------------------------------------------------------------------------
 *
 * src/merge/truncate.h
 *	  Merge a TRUNCATE: rows older than its stamp are gone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_TRUNCATE_H
#define TG_MERGE_TRUNCATE_H

#include "merge/session.h"

extern void tg_merge_truncation(TgMerge *merge, TgTableId id, TgStamp stamp);

#endif							/* TG_MERGE_TRUNCATE_H */
