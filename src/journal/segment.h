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

/* What of the journal has to stay. */
typedef struct TgCutRule
{
	TgPosition	folded;			/* what is behind it, always */
	TgPosition	read_by_all;	/* what is behind it, if there is room */
	TgPosition	expired;		/* up to here it is too old to be kept */
	TgPosition	aged;			/* and here it is a fair share younger */
	int64		max_bytes;		/* there is room up to here */
} TgCutRule;

extern int	tg_segment_lock_current(void);
extern TgPosition tg_segment_cut(void);
extern bool tg_segment_rotate(const TgCutRule *rule, TgPosition *cut);
extern int64 tg_journal_bytes(void);
extern void tg_segment_forget(void);

extern Size tg_segment_shmem_size(void);
extern void tg_segment_shmem_attach(void *ptr, bool found);

#endif							/* TG_JOURNAL_SEGMENT_H */
