/*-------------------------------------------------------------------------
 *
 * src/row/key.h
 *	  Primary key values as bytes that mean the same on every node.
 *
 * The bytes are, for each key column in index order, the type's binary send
 * form with its length (32 bits) before it.  Two keys are the same when the
 * index's operator class and collation say so; where equal values always
 * have equal bytes ("image_equal"), comparing bytes is enough.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_KEY_H
#define TG_ROW_KEY_H

#include "base/bytes.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "row/value.h"
#include "utils/relcache.h"

typedef struct TgKeyColumn
{
	AttrNumber	attno;			/* in the relation */
	TgValueType value;
	Oid			collation;		/* of the index */
	bool		image_equal;	/* equal values have equal bytes */
	FmgrInfo	equal;			/* btree equality, by the index's opclass */
	FmgrInfo	at_least;		/* the same for >= */
	FmgrInfo	order;			/* btree comparison; goes with them */
	FmgrInfo	hash;			/* goes with equal; unset if there is none */
} TgKeyColumn;

typedef struct TgKeySpec
{
	int			ncolumns;
	bool		image_equal;
	bool		is_ascending;	/* the index, in all its columns */
	TgKeyColumn columns[FLEXIBLE_ARRAY_MEMBER];
} TgKeySpec;

extern Oid	tg_key_index(Relation rel);
extern TgKeySpec *tg_key_spec_create(Relation rel, MemoryContext context);
extern void tg_key_write(TgKeySpec *spec, TupleTableSlot *slot, StringInfo buf);
extern void tg_key_read(TgKeySpec *spec, TgBytes key, Datum *values);
extern bool tg_key_equal(TgKeySpec *spec, TgBytes a, TgBytes b);
extern uint32 tg_key_hash(TgKeySpec *spec, TgBytes key);
extern uint64 tg_key_route_hash(TgKeySpec *spec, Datum *values);

#endif							/* TG_ROW_KEY_H */
