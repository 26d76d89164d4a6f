/*-------------------------------------------------------------------------
 *
 * src/capture/restamp.h
 *	  A fresh stamp for a row that has waited too long with its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_RESTAMP_H
#define TG_CAPTURE_RESTAMP_H

#include "row/table.h"

extern TgStamp tg_deleted_since(TgTable *table, TgBytes key, TgStamp stamp);
extern void tg_restamp(Relation rel, ItemPointer tid, TgStamp floor);

#endif							/* TG_CAPTURE_RESTAMP_H */
