/*-------------------------------------------------------------------------
 *
 * src/journal/append.h
 *	  The changes of this transaction, on their way into the journal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_APPEND_H
#define TG_JOURNAL_APPEND_H

#include "clock/vector.h"
#include "journal/entry.h"

extern void tg_journal_add(Oid relid, const TgEntry *entry);
extern bool tg_journal_has_changes(void);
extern uint64 tg_journal_count(void);
extern void tg_journal_set_source(TgNodeId peer, const TgVector *advance);

extern void tg_journal_install(void);

#endif							/* TG_JOURNAL_APPEND_H */
