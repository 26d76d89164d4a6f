/*-------------------------------------------------------------------------
 *
 * src/journal/fold.h
 *	  From the journal into the trees.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_FOLD_H
#define TG_JOURNAL_FOLD_H

#include "base/types.h"
#include "digest/tree.h"
#include "utils/snapshot.h"

extern bool tg_fold_lock(bool wait);
extern bool tg_fold_is_due(void);
extern bool tg_fold(void);
extern TgPosition tg_fold_position(Snapshot snapshot);
extern TgPosition tg_fold_position_now(void);
extern void tg_fold_missed(TgTableId table, TgPosition after, TgPosition upto, Snapshot seen,
						   TgTree *tree);

#endif							/* TG_JOURNAL_FOLD_H */
