/*-------------------------------------------------------------------------
 *
 * src/transport/resume.h
 *	  Copying what is missing of a table, and resuming a paused one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_RESUME_H
#define TG_TRANSPORT_RESUME_H

#include "transport/link.h"
#include "transport/state.h"

extern char *tg_fingerprint_text(TgTableId table);
extern void tg_copy_begin(TgTableState *state);
extern void tg_resume_paused(TgLink *link, TgNodeId peer);
extern bool tg_copy_pending(TgLink *link, TgNodeId peer);

#endif							/* TG_TRANSPORT_RESUME_H */
