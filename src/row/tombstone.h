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

/* Columns of topgun.tombstone. */
enum
{
	TG_TOMBSTONE_STAMP = 1, TG_TOMBSTONE_TABLE, TG_TOMBSTONE_HASH, TG_TOMBSTONE_KEY,
	TG_TOMBSTONE_COLUMNS = TG_TOMBSTONE_KEY
};

typedef struct TgTombstoneWriter TgTombstoneWriter;

extern TgTombstoneWriter *tg_tombstones_begin(void);
extern void tg_tombstones_write(TgTombstoneWriter *writer, TgTable *table, TgBytes key,
								uint32 hash, TgStamp stamp);
extern void tg_tombstones_end(TgTombstoneWriter *writer);

extern TgStamp tg_tombstone_find(TgTable *table, TgBytes key, Snapshot snapshot);
extern bool tg_tombstone_any(TgTable *table, Snapshot snapshot);
extern bool tg_tombstone_may_exceed(TgStamp stamp);
extern void tg_tombstone_learn(void);

extern Size tg_tombstone_shmem_size(void);
extern void tg_tombstone_shmem_attach(void *ptr, bool found);

#endif							/* TG_ROW_TOMBSTONE_H */
