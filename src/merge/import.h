/*-------------------------------------------------------------------------
 *
 * src/merge/import.h
 *	  Merge many changes that get fresh stamps, in few steps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_IMPORT_H
#define TG_MERGE_IMPORT_H

#include "merge/session.h"
#include "row/change.h"

extern void tg_merge_import(TgMerge *merge, TgTarget *target, const TgChange **changes, int nchanges);

#endif							/* TG_MERGE_IMPORT_H */
