/*-------------------------------------------------------------------------
 *
 * src/journal/segment.h
 *	  The journal's segments: which is written, which are gone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_SEGMENT_H
#define TG_JOURNAL_SEGMENT_H

#include "base/types.h"

extern int	tg_segment_lock_current(void);
extern TgPosition tg_segment_cut(void);
extern bool tg_segment_rotate(TgPosition read_by_all);
extern int64 tg_journal_bytes(void);
extern void tg_segment_forget(void);

extern Size tg_segment_shmem_size(void);
extern void tg_segment_shmem_attach(void *ptr, bool found);

#endif							/* TG_JOURNAL_SEGMENT_H */
