/*-------------------------------------------------------------------------
 *
 * src/capture/attach.h
 *	  What makes a table a replicated one: column, default and triggers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_ATTACH_H
#define TG_CAPTURE_ATTACH_H

#include "base/types.h"

extern void tg_table_attach(Oid relid, TgTableId id, bool stamping_by_trigger);
extern void tg_table_detach(Oid relid);

extern void tg_partition_prepare(Oid root, Oid partition);
extern void tg_partition_attach(Oid partition);

#endif							/* TG_CAPTURE_ATTACH_H */
