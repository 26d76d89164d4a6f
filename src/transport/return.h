/*-------------------------------------------------------------------------
 *
 * src/transport/return.h
 *	  Coming back to a peer whose journal has been cut behind our cursor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_RETURN_H
#define TG_TRANSPORT_RETURN_H

#include "transport/link.h"
#include "transport/member.h"

extern void tg_return(TgLink *link, const TgMember *peer);

#endif							/* TG_TRANSPORT_RETURN_H */
