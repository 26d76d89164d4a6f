/*-------------------------------------------------------------------------
 *
 * src/transport/merge_answer.c
 *	  Merging the sections of an answer into the tables of this node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/error.h"
#include "clock/node_clock.h"
#include "merge/batch.h"
#include "transport/gate.h"
#include "transport/merge_answer.h"
#include "transport/state.h"
#include "transport/table_stat.h"
#include "utils/rel.h"

static void
refuse(const TgAnswer *answer)
{
	ereport(ERROR,
			(errcode(ERRCODE_TG_PROTOCOL),
			 errmsg("broken answer from node %d", answer->head.sender.node),
			 errhint("The nodes may run different versions of topgun.")));
}

static void
read_section(const TgAnswer *answer, TgReader *reader, TgSection *section)
{
	if (!tg_wire_read_section(reader, &section->head))
		refuse(answer);
	/* each change takes bytes, so the count cannot be far off what is there */
	if (section->head.nchanges > tg_reader_left(reader))
		refuse(answer);
	section->changes = palloc_extended(section->head.nchanges * sizeof(TgChange),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < section->head.nchanges; i++)
		if (!tg_wire_read_change(reader, &section->changes[i]))
			refuse(answer);
}

/*
 * Take an answer apart.  Errors out with ERRCODE_TG_PROTOCOL if it is not one.
 */
void
tg_answer_read(TgBytes bytes, TgAnswer *answer)
{
	TgReader	reader;

	memset(answer, 0, sizeof(*answer));
	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_wire_read_answer(&reader, &answer->head))
		refuse(answer);
	answer->sections = palloc0(Max(answer->head.ntables, 1) * sizeof(TgSection));
	for (uint32 i = 0; i < answer->head.ntables; i++)
	{
		read_section(answer, &reader, &answer->sections[i]);
		answer->nchanges += answer->sections[i].head.nchanges;
	}
	if (!tg_reader_ok(&reader) || !tg_reader_at_end(&reader))
		refuse(answer);
}

/*
 * Move the clock past every stamp of the answer, so that what is written here
 * afterwards is newer.  Errors out with ERRCODE_TG_CLOCK_DRIFT, before
 * anything is merged, if one is too far ahead.
 */
void
tg_answer_observe(const TgAnswer *answer)
{
	TgStamp		greatest = TG_NO_STAMP;

	for (uint32 i = 0; i < answer->head.ntables; i++)
	{
		const TgSection *section = &answer->sections[i];

		for (uint32 k = 0; k < section->head.nchanges; k++)
			greatest = Max(greatest, section->changes[k].stamp);
	}
	tg_clock_observe(greatest);
}

static void
pause_table(TgTableState *state, Relation rel, TgNodeId sender)
{
	state->status = TG_TABLE_PAUSED;
	state->copy_from = sender;
	state->copy_after = tg_bytes(NULL, 0);
	state->reason = psprintf("columns or key differ from those on node %d; here: %s",
							 sender, tg_table_get(rel)->description);
	tg_table_state_put(state);
	ereport(LOG,
			(errcode(ERRCODE_TG_SCHEMA_DIFFERS),
			 errmsg("replication of table \"%s\" is paused", RelationGetRelationName(rel)),
			 errdetail_internal("%s", state->reason)));
}

/*
 * Does the table look the same there and here?  If not it is paused, and what
 * comes for it is left: it will be copied when the two are alike again, see
 * resume.c.
 */
bool
tg_table_takes(TgNodeId sender, const TgSectionHead *head)
{
	TgTableState state;
	Relation	rel;
	bool		alike;

	if (!tg_table_state_get(head->table, &state) || !OidIsValid(state.relid))
		return false;
	rel = try_relation_open(state.relid, AccessShareLock);
	if (rel == NULL)
		return false;
	if (tg_table_id(rel) != head->table)
	{
		relation_close(rel, NoLock);
		return false;
	}

	alike = tg_table_get(rel)->fingerprint == head->fingerprint;
	if (!alike && state.status != TG_TABLE_PAUSED)
		pause_table(&state, rel, sender);
	relation_close(rel, NoLock);
	return alike && state.status != TG_TABLE_PAUSED;
}

/*
 * Merge all sections, between tg_merge_begin() and tg_merge_end().  Errors out
 * with ERRCODE_TG_STALE_EPOCH if the answer is of another view than ours.
 */
void
tg_answer_merge(const TgAnswer *answer, TgMerge *merge)
{
	for (uint32 i = 0; i < answer->head.ntables; i++)
	{
		const TgSection *section = &answer->sections[i];
		TgMergeCounts before = merge->counts;

		if (!tg_table_takes(answer->head.sender.node, &section->head))
			continue;
		tg_merge_changes(merge, section->head.table, section->changes, section->head.nchanges);
		tg_table_stat_add(section->head.table, &before, &merge->counts);
	}
	tg_gate_require_current(&answer->head.sender);
}
