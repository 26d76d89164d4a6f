/*-------------------------------------------------------------------------
 *
 * src/bulk/source.h
 *	  A relation that holds rows to be merged into a replicated table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_SOURCE_H
#define TG_BULK_SOURCE_H

#include "row/table.h"

#define TG_DELETED_COLUMN		"topgun_deleted"

/* Both relations are open, and the caller may read one and write the other. */
typedef struct TgSource
{
	Relation	rel;
	TgTable    *table;
	Relation	source;
	bool		has_deleted;
} TgSource;

extern void tg_source_open(TgSource *source, Oid relid, Oid source_relid);
extern char *tg_source_query(const TgSource *source);
extern void tg_source_close(TgSource *source);

#endif							/* TG_BULK_SOURCE_H */
