/*-------------------------------------------------------------------------
 *
 * src/journal/mark.h
 *	  The low-water mark that this node tells, and its cap after a start.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_MARK_H
#define TG_JOURNAL_MARK_H

#include "base/types.h"

extern TgStamp tg_mark_for_journal(TgNodeId node);
extern void tg_mark_lift_cap(void);
extern void tg_mark_recover(void);
extern void tg_mark_forget(void);

extern Size tg_mark_shmem_size(void);
extern void tg_mark_shmem_attach(void *ptr, bool found);

#endif							/* TG_JOURNAL_MARK_H */
