/*-------------------------------------------------------------------------
 *
 * src/merge/conflict_log.h
 *	  What is kept of conflicts: in segments that are emptied in turn.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_CONFLICT_LOG_H
#define TG_MERGE_CONFLICT_LOG_H

#include "base/types.h"

#define TG_CONFLICT_COLUMNS		10

extern bool tg_conflict_is_sample(TgStamp a, TgStamp b, double share);
extern void tg_conflict_log_write(Datum *values, bool *nulls);
extern bool tg_conflict_log_turn(void);

extern Size tg_conflict_shmem_size(void);
extern void tg_conflict_shmem_attach(void *ptr, bool found);

#endif							/* TG_MERGE_CONFLICT_LOG_H */
