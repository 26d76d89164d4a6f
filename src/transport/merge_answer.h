/*-------------------------------------------------------------------------
 *
 * src/transport/merge_answer.h
 *	  Merging the sections of an answer into the tables of this node.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_MERGE_ANSWER_H
#define TG_TRANSPORT_MERGE_ANSWER_H

#include "merge/session.h"
#include "transport/wire.h"

/* An answer taken apart; points into its bytes. */
typedef struct TgSection
{
	TgSectionHead head;
	TgChange   *changes;
} TgSection;

typedef struct TgAnswer
{
	TgAnswerHead head;
	TgSection  *sections;
	int64		nchanges;
} TgAnswer;

extern void tg_answer_read(TgBytes bytes, TgAnswer *answer);
extern void tg_answer_observe(const TgAnswer *answer);
extern bool tg_table_takes(TgNodeId sender, const TgSectionHead *head);
extern void tg_answer_merge(const TgAnswer *answer, TgMerge *merge);

#endif							/* TG_TRANSPORT_MERGE_ANSWER_H */
