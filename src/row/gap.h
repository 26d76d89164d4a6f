/*-------------------------------------------------------------------------
 *
 * src/row/gap.h
 *	  A range of keys in which a table has no rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_GAP_H
#define TG_ROW_GAP_H

#include "row/target.h"

typedef struct TgGap TgGap;

extern bool tg_gap_has(TgGap *gap);
extern TgGap *tg_gap_note(TgGap *gap, TgLeaf *leaf, bool found);
extern void tg_gap_close(TgGap *gap);

#endif							/* TG_ROW_GAP_H */
