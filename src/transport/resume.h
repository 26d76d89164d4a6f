/*-------------------------------------------------------------------------
 *
 * src/transport/resume.h
 *	  Copying what is missing of a table, and resuming a paused one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_RESUME_H
#define TG_TRANSPORT_RESUME_H

#include "transport/copy_progress.h"
#include "transport/link.h"

extern char *tg_fingerprint_text(TgTableId table);
extern char *tg_ask_fingerprint(TgLink *link, TgTableId table);
extern void tg_copy_begin(TgTableState *state);
extern void tg_copy_begin_join(TgTableState *state, TgNodeId from);
extern void tg_copy_go_on(TgTableState *state, TgCopyProgress *progress);
extern void tg_copy_replace_state(const TgTableState *old, const TgTableState *new);
extern void tg_resume_paused(TgLink *link, TgNodeId peer);
extern void tg_copy_note_error(TgTableId table, const char *message);
extern bool tg_copy_is_wanted(void);
extern bool tg_copy_choose(uint32 seed, TgTableId *table, TgNodeId *peer);

#endif							/* TG_TRANSPORT_RESUME_H */
