/*-------------------------------------------------------------------------
 *
 * src/bulk/cutter.h
 *	  Cutting the changes of a job into slices.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_CUTTER_H
#define TG_BULK_CUTTER_H

#include "bulk/pool.h"
#include "bulk/slice_file.h"
#include "row/table.h"

/* A change, in buffers of its own. */
typedef struct TgHeldChange
{
	TgChangeKind kind;
	TgStamp		stamp;
	StringInfoData key;
	StringInfoData payload;
} TgHeldChange;

typedef struct TgCutter
{
	TgJob	   *job;
	int			nworkers;
	TgKeySpec  *key;
	MemoryContext context;
	bool		is_open;		/* a slice has been begun */
	TgSliceWriter writer;
	bool		has_last;
	TgHeldChange last;			/* the next may be of the same key */
	TgHeldChange next;			/* to be filled by the caller */
	int64		older;			/* left out for a newer one of their key */
	int64		equal;			/* left out, since they came twice */
} TgCutter;

extern void tg_cutter_init(TgCutter *cutter, TgJob *job, int nworkers, TgKeySpec *key);
extern void tg_cutter_add(TgCutter *cutter);
extern void tg_cutter_finish(TgCutter *cutter);

#endif							/* TG_BULK_CUTTER_H */
