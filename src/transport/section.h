/*-------------------------------------------------------------------------
 *
 * src/transport/section.h
 *	  Building an answer: its head, then changes of one table after another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_SECTION_H
#define TG_TRANSPORT_SECTION_H

#include "row/target.h"
#include "transport/wire.h"

typedef struct TgSections
{
	StringInfoData buf;			/* the answer: its head, section after section */
	uint32		ntables;		/* finished sections */
	TgTarget   *target;			/* the open section's table, or NULL */
	uint32		nchanges;		/* of the open section */
	int			start;			/* where the open section begins in buf */
} TgSections;

extern void tg_sections_init(TgSections *sections, const TgAnswerHead *head);
extern bool tg_section_begin(TgSections *sections, TgTableId table);
extern void tg_section_add(TgSections *sections, TgChangeKind kind, TgStamp stamp, TgBytes payload);
extern void tg_section_add_row(TgSections *sections, TgTable *table, TupleTableSlot *slot);
extern void tg_section_end(TgSections *sections);
extern Size tg_sections_bytes(const TgSections *sections);
extern StringInfo tg_sections_finish(TgSections *sections, const TgAnswerHead *head);

#endif							/* TG_TRANSPORT_SECTION_H */
