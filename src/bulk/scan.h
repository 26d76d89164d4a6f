/*-------------------------------------------------------------------------
 *
 * src/bulk/scan.h
 *	  The tree of a table, computed from its rows by parallel workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_SCAN_H
#define TG_BULK_SCAN_H

#include "bulk/row_scan.h"
#include "digest/tree.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

extern void tg_scan_tree(Relation rel, Snapshot snapshot, TgScanKind kind, int nworkers, TgTree *tree);

#endif							/* TG_BULK_SCAN_H */
