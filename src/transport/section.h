/*-------------------------------------------------------------------------
 *
 * src/transport/section.h
 *	  Building the sections of an answer: changes of one table after another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_SECTION_H
#define TG_TRANSPORT_SECTION_H

#include "row/target.h"
#include "transport/wire.h"
#include "utils/snapshot.h"

typedef struct TgSections
{
	StringInfoData done;		/* finished sections */
	uint32		ntables;
	StringInfoData changes;		/* of the section being written */
	uint32		nchanges;
	TgTarget   *target;			/* its table, or NULL between sections */
} TgSections;

extern void tg_sections_init(TgSections *sections);
extern bool tg_section_begin(TgSections *sections, TgTableId table);
extern void tg_section_add(TgSections *sections, TgChangeKind kind, TgStamp stamp, TgBytes payload);
extern void tg_section_add_row(TgSections *sections, TgTable *table, TupleTableSlot *slot);
extern void tg_section_end(TgSections *sections);
extern Size tg_sections_bytes(const TgSections *sections);

#endif							/* TG_TRANSPORT_SECTION_H */
