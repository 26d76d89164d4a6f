/*-------------------------------------------------------------------------
 *
 * src/journal/row_entry.h
 *	  Journal entries of rows that were written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_ROW_ENTRY_H
#define TG_JOURNAL_ROW_ENTRY_H

#include "row/table.h"

extern void tg_journal_insert(TgTable *table, TgBytes key, TgStamp stamp);
extern void tg_journal_update(TgTable *table, TgBytes key, TgStamp old_stamp, TgStamp stamp);
extern void tg_journal_delete(TgTable *table, TgBytes key, TgStamp old_stamp, TgStamp stamp);

#endif							/* TG_JOURNAL_ROW_ENTRY_H */
