/*-------------------------------------------------------------------------
 *
 * src/base/catalog.h
 *	  The extension's own tables and indexes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_CATALOG_H
#define TG_BASE_CATALOG_H

#include "access/htup.h"
#include "utils/relcache.h"

#define TG_JOURNAL_SEGMENTS		4
#define TG_CONFLICT_SEGMENTS	4

typedef enum TgCatalog
{
	/* one for each segment, in order */
	TG_CAT_JOURNAL,
	TG_CAT_JOURNAL_POSITION = TG_CAT_JOURNAL + TG_JOURNAL_SEGMENTS,
	TG_CAT_JOURNAL_PART = TG_CAT_JOURNAL_POSITION + TG_JOURNAL_SEGMENTS,
	TG_CAT_JOURNAL_PART_BATCH = TG_CAT_JOURNAL_PART + TG_JOURNAL_SEGMENTS,

	TG_CAT_JOURNAL_STATE = TG_CAT_JOURNAL_PART_BATCH + TG_JOURNAL_SEGMENTS,
	TG_CAT_CLUSTER_STATE,
	TG_CAT_CONFLICT,			/* the first of so many */
	TG_CAT_FOLD_STATE = TG_CAT_CONFLICT + TG_CONFLICT_SEGMENTS,
	TG_CAT_GC_STATE,
	TG_CAT_LOCAL_NODE,
	TG_CAT_MERKLE_LEAF,
	TG_CAT_MERKLE_LEAF_PKEY,
	TG_CAT_MERKLE_TREE,
	TG_CAT_MERKLE_TREE_PKEY,
	TG_CAT_NODE,
	TG_CAT_NODE_PKEY,
	TG_CAT_PEER_CURSOR,
	TG_CAT_PEER_CURSOR_PKEY,
	TG_CAT_QUARANTINE,
	TG_CAT_QUARANTINE_PKEY,
	TG_CAT_REPLICATED_TABLE,
	TG_CAT_TABLE_STATE,
	TG_CAT_TABLE_STATE_PKEY,
	TG_CAT_TOMBSTONE,
	TG_CAT_TOMBSTONE_KEY,
	TG_CAT_TRUNCATION,
	TG_CAT_TRUNCATION_PKEY,
	TG_CAT_UNVERIFIED
} TgCatalog;

#define TG_CATALOG_COUNT		(TG_CAT_UNVERIFIED + 1)

extern bool tg_catalog_exists(void);
extern Oid	tg_catalog_oid(TgCatalog which);
extern void tg_catalog_insert(Relation rel, Datum *values, bool *nulls);
extern void tg_catalog_append(Relation rel, TgCatalog its_index, Datum *values, bool *nulls);

extern void tg_catalog_install(void);

#endif							/* TG_BASE_CATALOG_H */
