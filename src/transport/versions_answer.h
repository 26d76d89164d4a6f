/*-------------------------------------------------------------------------
 *
 * src/transport/versions_answer.h
 *	  Answers to a peer that repairs a table: which versions are newer, and
 *	  what it gives us.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_VERSIONS_ANSWER_H
#define TG_TRANSPORT_VERSIONS_ANSWER_H

#include "merge/session.h"
#include "transport/wire_tree.h"

extern StringInfo tg_answer_versions(const TgVersionsRequest *request);
extern void tg_take(TgBytes answer, TgMergeCounts *counts);

#endif							/* TG_TRANSPORT_VERSIONS_ANSWER_H */
