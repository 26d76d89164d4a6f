/*-------------------------------------------------------------------------
 *
 * src/bulk/source_row.h
 *	  A row as the query for a source gives it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_SOURCE_ROW_H
#define TG_BULK_SOURCE_ROW_H

#include "row/change.h"
#include "row/table.h"

typedef struct TgSourceRow
{
	TgTable    *table;
	TgStamp		began;			/* stamp of rows that have none */
	int		   *key_columns;	/* of the query */
	TupleTableSlot *result;		/* of its columns, for tuples of a slice */
	TupleTableSlot *row;		/* the same where the table has them */
} TgSourceRow;

extern void tg_source_row_init(TgSourceRow *source, Relation rel, TgStamp began);
extern void tg_source_row_require_key(const TgSourceRow *source, TupleTableSlot *result);
extern MinimalTuple tg_source_row_tuple(TupleTableSlot *result);
extern void tg_source_row_key(TgSourceRow *source, TupleTableSlot *result, StringInfo key);
extern void tg_source_row_change(TgSourceRow *source, MinimalTuple tuple,
								 TgChange *change, StringInfo key, StringInfo payload);
extern void tg_source_row_end(TgSourceRow *source);

#endif							/* TG_BULK_SOURCE_ROW_H */
