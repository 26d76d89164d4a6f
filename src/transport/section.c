/*-------------------------------------------------------------------------
 *
 * src/transport/section.c
 *	  Building the sections of an answer: changes of one table after another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "transport/section.h"
#include "utils/rel.h"

/*
 * No sections yet.
 */
void
tg_sections_init(TgSections *sections)
{
	memset(sections, 0, sizeof(*sections));
	initStringInfo(&sections->done);
	initStringInfo(&sections->changes);
}

/*
 * Open the table and begin its section.  False, and no section, if it is not
 * replicated here any more.
 */
bool
tg_section_begin(TgSections *sections, TgTableId table)
{
	Oid			relid = tg_table_relid(table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;

	Assert(sections->target == NULL);
	if (rel == NULL)
		return false;
	if (tg_table_id(rel) != table)
	{
		relation_close(rel, AccessShareLock);
		return false;
	}
	sections->target = tg_target_open(rel);
	sections->nchanges = 0;
	resetStringInfo(&sections->changes);
	return true;
}

/*
 * Add a change to the open section.
 */
void
tg_section_add(TgSections *sections, TgChangeKind kind, TgStamp stamp, TgBytes payload)
{
	TgChange	change = {kind, stamp, payload};

	tg_wire_write_change(&sections->changes, &change);
	sections->nchanges++;
}

/*
 * Add a row of the table, or of a leaf of it, as it stands in the slot, with its own stamp.
 */
void
tg_section_add_row(TgSections *sections, TgTable *table, TupleTableSlot *slot)
{
	StringInfoData row;

	initStringInfo(&row);
	tg_row_write(table, slot, &row);
	tg_section_add(sections, TG_CHANGE_ROW, tg_slot_stamp(table, slot),
				   tg_bytes_of_buf(&row));
	pfree(row.data);
}

/*
 * Finish the open section and close its table.  Its lock stays.
 */
void
tg_section_end(TgSections *sections)
{
	TgTarget   *target = sections->target;
	Relation	rel = target->rel;

	if (sections->nchanges > 0)
	{
		TgSectionHead head = {
			.table = target->table->id,
			.fingerprint = target->table->fingerprint,
			.nchanges = sections->nchanges
		};

		tg_wire_write_section(&sections->done, &head);
		appendBinaryStringInfo(&sections->done, sections->changes.data, sections->changes.len);
		sections->ntables++;
	}
	sections->target = NULL;
	tg_target_close(target);
	relation_close(rel, NoLock);
}

/*
 * How many bytes there are so far.
 */
Size
tg_sections_bytes(const TgSections *sections)
{
	return (Size) sections->done.len + (sections->target != NULL ? sections->changes.len : 0);
}
