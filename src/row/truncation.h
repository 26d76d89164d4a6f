/*-------------------------------------------------------------------------
 *
 * src/row/truncation.h
 *	  TRUNCATE as a stamp: topgun.truncation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_TRUNCATION_H
#define TG_ROW_TRUNCATION_H

#include "base/types.h"

extern void tg_truncation_write(TgTableId id, TgStamp stamp);
extern TgStamp tg_truncation_find(TgTableId id);

#endif							/* TG_ROW_TRUNCATION_H */
