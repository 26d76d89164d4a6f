/*-------------------------------------------------------------------------
 *
 * src/row/target.h
 *	  A replicated table open for look-ups by key and for writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_TARGET_H
#define TG_ROW_TARGET_H

#include "access/genam.h"
#include "executor/execPartition.h"
#include "nodes/execnodes.h"
#include "row/table.h"

/* The table itself or, if it is partitioned, one of its leaves. */
typedef struct TgLeaf
{
	Oid			relid;			/* hash key; must be first */
	Relation	rel;
	Relation	index;			/* of the primary key */
	TgTable    *table;
	ResultRelInfo *rri;			/* indexes open, in the target's estate */
	TupleTableSlot *row;		/* the row as the leaf has its columns */
	IndexScanDesc scan;			/* of the index, for look-ups */
	TupleTableSlot *found;		/* what a look-up has found */
	struct TgWalk *walk;		/* see walk.h, or NULL */
	IndexScanDesc walk_scan;	/* its own, or NULL */
	struct TgAbsent *absent;	/* rows that a merge is about to insert */
} TgLeaf;

typedef struct TgTarget
{
	Relation	rel;
	TgTable    *table;
	EState	   *estate;
	ResultRelInfo *rri;
	TupleTableSlot *row;		/* to be filled by the caller, then routed */
	TgLeaf	   *only_leaf;		/* the table, unless it is partitioned */
	ModifyTableState *routing_state;
	PartitionTupleRouting *routing;
	HTAB	   *leaves;			/* of a partitioned table */
	TgStamp		truncation;		/* rows up to this stamp are gone */
	Oid			saved_user;		/* whom a merge goes back to */
	int			saved_sec_context;
	MemoryContext context;
} TgTarget;

extern TgTarget *tg_target_open(Relation rel);
extern void tg_target_close(TgTarget *target);

extern void tg_target_set_key(TgTarget *target, TgBytes key);
extern TgLeaf *tg_target_route(TgTarget *target);
extern TgLeaf *tg_target_try_route(TgTarget *target);
extern bool tg_leaf_find(TgLeaf *leaf, Snapshot snapshot);

#endif							/* TG_ROW_TARGET_H */
