/*-------------------------------------------------------------------------
 *
 * src/row/sweep.h
 *	  Collecting tombstones, and counting those that stay.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_SWEEP_H
#define TG_ROW_SWEEP_H

#include "base/types.h"
#include "datatype/timestamp.h"
#include "storage/block.h"
#include "utils/snapshot.h"

#define TG_SWEEP_TABLES			1024	/* that tombstones are counted of */

typedef struct TgTableCount
{
	TgTableId	table;
	int64		count;
} TgTableCount;

/* Keys whose tombstones stay, by the hash in topgun.tombstone. */
typedef struct TgKeptKey
{
	TgTableId	table;
	int32		hash;
} TgKeptKey;

typedef struct TgKeptKeys
{
	TgKeptKey  *keys;			/* sorted by tg_kept_keys_sort() */
	int			nkeys;
} TgKeptKeys;

/* What one sweep through topgun.tombstone remembers between its steps. */
typedef struct TgSweep
{
	BlockNumber next;			/* 0: between two sweeps */
	TgStamp		bound;			/* of this one, or of the last */
	BlockNumber blocks;			/* when tombstones were counted last */
	TimestampTz counted_at;		/* 0: never */
	int			ncounts;
	TgTableCount counts[TG_SWEEP_TABLES];
} TgSweep;

extern void tg_kept_keys_sort(TgKeptKeys *kept);
extern bool tg_sweep_step(TgSweep *sweep, TgStamp bound, const TgKeptKeys *kept,
						  Snapshot snapshot);
extern int64 tg_tombstone_count(TgTableId table);

extern Size tg_sweep_shmem_size(void);
extern void tg_sweep_shmem_attach(void *ptr, bool found);

#endif							/* TG_ROW_SWEEP_H */
