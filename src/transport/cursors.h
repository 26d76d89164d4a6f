/*-------------------------------------------------------------------------
 *
 * src/transport/cursors.h
 *	  Where a node that takes over a member's tables starts to read journals:
 *	  both ends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_CURSORS_H
#define TG_TRANSPORT_CURSORS_H

#include "journal/cursor.h"
#include "nodes/pg_list.h"
#include "transport/link.h"
#include "transport/member.h"

extern StringInfo tg_cursors_tell(void);
extern List *tg_cursors_ask(TgLink *link);
extern void tg_floor_adopt(TgLink *link, const TgMember *member);

#endif							/* TG_TRANSPORT_CURSORS_H */
