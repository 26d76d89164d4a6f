/*-------------------------------------------------------------------------
 *
 * src/merge/conflict.h
 *	  Concurrent changes of one row: what is kept of the loser.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_CONFLICT_H
#define TG_MERGE_CONFLICT_H

#include "merge/session.h"
#include "row/change.h"

extern void tg_conflict_check_row(TgMerge *merge, TgTarget *target, TgLeaf *leaf,
								  const TgChange *change, bool remote_wins);
extern void tg_conflict_check_deleted(TgMerge *merge, TgTarget *target, TupleTableSlot *row,
									  const TgChange *change, TgBytes key);
extern Datum tg_row_to_json(TupleTableSlot *slot);

#endif							/* TG_MERGE_CONFLICT_H */
