/*-------------------------------------------------------------------------
 *
 * src/transport/verify.h
 *	  Comparing the contents of a table with those at a peer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_VERIFY_H
#define TG_TRANSPORT_VERIFY_H

#include "transport/key_join.h"

typedef struct TgVerify
{
	TgLink	   *link;
	const TgMember *peer;
	Relation	rel;
	TgNodeId	winner;			/* whose rows get a fresh stamp; 0: nobody's */
	void		(*report) (void *arg, const TgKeyPair *pair);
	void	   *report_arg;
} TgVerify;

extern void tg_verify(const TgVerify *verify);

#endif							/* TG_TRANSPORT_VERIFY_H */
