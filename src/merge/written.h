/*-------------------------------------------------------------------------
 *
 * src/merge/written.h
 *	  What is done about rows that a merge has written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_WRITTEN_H
#define TG_MERGE_WRITTEN_H

#include "journal/stamping.h"
#include "row/target.h"

/* Which triggers of a leaf fire for replicas? */
typedef struct TgFiring
{
	bool		is_known;
	bool		only_capture;
} TgFiring;

typedef struct TgWritten
{
	TgTarget   *target;
	TgMergedRow *rows;			/* whose triggers are queued, in their order */
	int			nrows;
	const TgLeaf *leaf;			/* whose triggers these are: */
	TgFiring	on_insert;
	TgFiring	on_update;
	TgFiring	on_delete;
	StringInfoData key;
	StringInfoData old_key;
} TgWritten;

extern void tg_written_begin(TgWritten *written, TgTarget *target, TgMergedRow *rows);
extern void tg_written_insert(TgWritten *written, TgLeaf *leaf, TupleTableSlot *row);
extern void tg_written_import(TgWritten *written, TgLeaf *leaf, TupleTableSlot *row);
extern void tg_written_update(TgWritten *written, TgLeaf *leaf, ItemPointer old);
extern void tg_written_delete(TgWritten *written, TgLeaf *leaf, TgStamp stamp);
extern void tg_written_end(TgWritten *written);

#endif							/* TG_MERGE_WRITTEN_H */
