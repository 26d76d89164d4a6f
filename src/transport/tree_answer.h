/*-------------------------------------------------------------------------
 *
 * src/transport/tree_answer.h
 *	  Answers to a peer that compares its tables with ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_TREE_ANSWER_H
#define TG_TRANSPORT_TREE_ANSWER_H

#include "transport/wire_tree.h"

typedef void (*TgSendChunk) (void *arg, TgBytes chunk);

extern StringInfo tg_answer_tree(const TgTreeRequest *request);
extern void tg_answer_keys(const TgKeysRequest *request, TgSendChunk send, void *arg);

#endif							/* TG_TRANSPORT_TREE_ANSWER_H */
