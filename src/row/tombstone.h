/*-------------------------------------------------------------------------
 *
 * src/row/tombstone.h
 *	  Stamps of deleted keys: topgun.tombstone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_TOMBSTONE_H
#define TG_ROW_TOMBSTONE_H

#include "row/table.h"
#include "utils/snapshot.h"

extern void tg_tombstone_write(TgTable *table, TgBytes key, TgStamp stamp);
extern TgStamp tg_tombstone_find(TgTable *table, TgBytes key, Snapshot snapshot);
extern bool tg_tombstone_any(TgTable *table, Snapshot snapshot);
extern bool tg_tombstone_may_exceed(TgStamp stamp);
extern void tg_tombstone_learn(void);

extern Size tg_tombstone_shmem_size(void);
extern void tg_tombstone_shmem_attach(void *ptr, bool found);

#endif							/* TG_ROW_TOMBSTONE_H */
