/*-------------------------------------------------------------------------
 *
 * src/transport/table_stat.h
 *	  Counters of each replicated table, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_TABLE_STAT_H
#define TG_TRANSPORT_TABLE_STAT_H

#include "merge/session.h"

extern void tg_table_stat_add(TgTableId table, const TgMergeCounts *before, const TgMergeCounts *after);
extern void tg_table_stat_get(TgTableId table, TgMergeCounts *counts);
extern void tg_table_stat_reset(void);

extern Size tg_table_stat_shmem_size(void);
extern void tg_table_stat_shmem_attach(void *ptr, bool found);

#endif							/* TG_TRANSPORT_TABLE_STAT_H */
