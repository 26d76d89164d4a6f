/*-------------------------------------------------------------------------
 *
 * src/merge/quarantine.h
 *	  Rows that came from a peer and cannot be applied here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_QUARANTINE_H
#define TG_MERGE_QUARANTINE_H

#include "merge/session.h"
#include "row/change.h"
#include "utils/elog.h"
#include "utils/snapshot.h"

extern bool tg_quarantine_is_empty(void);
extern void tg_quarantine_put(TgMerge *merge, TgTableId table, const TgChange *change,
							  const ErrorData *error);
extern void tg_quarantine_note(TgTableId table, TgBytes key, TgStamp stamp, const ErrorData *error);
extern bool tg_quarantine_lets_pass(TgTarget *target, TgBytes key, TgStamp stamp);
extern void tg_quarantine_resolve(TgTarget *target, TgBytes key, TgStamp stamp);
extern void tg_quarantine_forget(TgTableId table, TgBytes key, TgStamp stamp);
extern bool tg_quarantine_find(TgTableId table, TgBytes key, Snapshot snapshot, TgChange *change);
extern bool tg_quarantine_is_doubtful(TgTableId table, TgBytes key, Snapshot snapshot);
extern void tg_quarantine_learn(void);

extern Size tg_quarantine_shmem_size(void);
extern void tg_quarantine_shmem_attach(void *ptr, bool found);

#endif							/* TG_MERGE_QUARANTINE_H */
