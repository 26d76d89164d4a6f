/*-------------------------------------------------------------------------
 *
 * src/row/table.h
 *	  What this backend knows of a replicated table.
 *
 * A relation is replicated if it has the capture trigger; the trigger's
 * argument is the table id.  A leaf of a partitioned table carries a clone of
 * its root's trigger and so the root's id.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_TABLE_H
#define TG_ROW_TABLE_H

#include "base/types.h"
#include "row/key.h"
#include "utils/relcache.h"

#define TG_STAMP_COLUMN			"topgun_stamp"

/* A column that travels, in the order in which it travels: by name. */
typedef struct TgColumn
{
	AttrNumber	attno;
	TgValueType value;
} TgColumn;

typedef struct TgTable
{
	Oid			relid;			/* hash key; must be first */
	bool		valid;
	TgTableId	id;				/* 0: this relation is not replicated */
	AttrNumber	stamp_attno;
	Oid			key_index;		/* primary key; of the relation itself */
	TgKeySpec  *key;
	int			ncolumns;		/* without the stamp and generated columns */
	TgColumn   *columns;
	char	   *description;	/* "key(a) a integer, b text, ..." */
	uint64		fingerprint;	/* hash of the description */
	MemoryContext context;
} TgTable;

extern TgTableId tg_table_id(Relation rel);
extern TgTable *tg_table_get(Relation rel);
extern Oid	tg_table_relid(TgTableId id);

extern void tg_require_stamp_type(Relation rel, Oid type);
extern TgStamp tg_slot_stamp(TgTable *table, TupleTableSlot *slot);
extern void tg_row_write(TgTable *table, TupleTableSlot *slot, StringInfo buf);
extern bool tg_row_key(TgTable *table, TgBytes row, StringInfo buf);
extern void tg_row_read(TgTable *table, TgBytes row, TupleTableSlot *slot);

#endif							/* TG_ROW_TABLE_H */
