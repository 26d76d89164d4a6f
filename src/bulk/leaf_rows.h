/*-------------------------------------------------------------------------
 *
 * src/bulk/leaf_rows.h
 *	  The keys of chosen leaves of a table, in the order of leaf and key
 *	  bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_LEAF_ROWS_H
#define TG_BULK_LEAF_ROWS_H

#include "base/bytes.h"
#include "base/types.h"
#include "bulk/scan.h"

/* Which leaves: one bit each. */
typedef struct TgLeafSet
{
	uint64		words[TG_TREE_LEAVES / 64];
} TgLeafSet;

static inline void
tg_leaf_set_add(TgLeafSet *set, uint32 leaf)
{
	set->words[leaf / 64] |= UINT64CONST(1) << (leaf % 64);
}

static inline bool
tg_leaf_set_has(const TgLeafSet *set, uint32 leaf)
{
	return (set->words[leaf / 64] >> (leaf % 64)) & 1;
}

/* Valid until the next one is read. */
typedef struct TgLeafRow
{
	uint32		leaf;
	TgBytes		key;
	TgStamp		stamp;
	uint64		digest;			/* of the contents, or 0 if not asked for */
} TgLeafRow;

typedef struct TgLeafRows TgLeafRows;

extern TgLeafRows *tg_leaf_rows_open(Relation rel, Snapshot snapshot, TgScanKind kind,
									 const TgLeafSet *leaves);
extern bool tg_leaf_rows_next(TgLeafRows *rows, TgLeafRow *row);
extern void tg_leaf_rows_close(TgLeafRows *rows);

#endif							/* TG_BULK_LEAF_ROWS_H */
