/*-------------------------------------------------------------------------
 *
 * src/transport/section.c
 *	  Building an answer: its head, then changes of one table after another.
 *
 * Rows may be wide, so there is one buffer: a head is written twice, the
 * second time with the number of things that have come after it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "transport/section.h"
#include "utils/rel.h"

/*
 * A head of the same length replaces the one at this place.
 */
static void
rewrite(StringInfo buf, int at, StringInfo head)
{
	Assert(at + head->len <= buf->len);
	memcpy(buf->data + at, head->data, head->len);
	pfree(head->data);
}

/*
 * Begin an answer without sections, in the current memory context.
 */
void
tg_sections_init(TgSections *sections, const TgAnswerHead *head)
{
	memset(sections, 0, sizeof(*sections));
	initStringInfo(&sections->buf);
	tg_wire_write_answer(&sections->buf, head);
}

static void
write_section_head(StringInfo buf, const TgSections *sections)
{
	TgSectionHead head = {
		.table = sections->target->table->id,
		.fingerprint = sections->target->table->fingerprint,
		.nchanges = sections->nchanges
	};

	tg_wire_write_section(buf, &head);
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
	sections->start = sections->buf.len;
	write_section_head(&sections->buf, sections);
	return true;
}

/*
 * Add a change to the open section.
 */
void
tg_section_add(TgSections *sections, TgChangeKind kind, TgStamp stamp, TgBytes payload)
{
	TgChange	change = {kind, stamp, payload};

	tg_wire_write_change(&sections->buf, &change);
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
 * Leave no trace of a section without changes.
 */
static void
drop_section(TgSections *sections)
{
	sections->buf.len = sections->start;
	sections->buf.data[sections->start] = '\0';
}

static void
complete_section(TgSections *sections)
{
	StringInfoData head;

	initStringInfo(&head);
	write_section_head(&head, sections);
	rewrite(&sections->buf, sections->start, &head);
	sections->ntables++;
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
		complete_section(sections);
	else
		drop_section(sections);
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
	return sections->buf.len;
}

/*
 * The whole answer, in the context that it was begun in.  The head is the one
 * that it was begun with; only ntables is filled in here.
 */
StringInfo
tg_sections_finish(TgSections *sections, const TgAnswerHead *head)
{
	TgAnswerHead complete = *head;
	StringInfoData bytes;

	Assert(sections->target == NULL);
	complete.ntables = sections->ntables;
	initStringInfo(&bytes);
	tg_wire_write_answer(&bytes, &complete);
	rewrite(&sections->buf, 0, &bytes);
	return &sections->buf;
}
