/*-------------------------------------------------------------------------
 *
 * src/transport/answer.h
 *	  Answers to a peer that pulls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_ANSWER_H
#define TG_TRANSPORT_ANSWER_H

#include "transport/wire.h"

extern StringInfo tg_answer_pull(const TgPullRequest *request);

#endif							/* TG_TRANSPORT_ANSWER_H */
