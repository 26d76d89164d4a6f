/*-------------------------------------------------------------------------
 *
 * src/bulk/cutter.h
 *	  Cutting the rows of a job into slices.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_CUTTER_H
#define TG_BULK_CUTTER_H

#include "bulk/pool.h"
#include "bulk/slice_file.h"

typedef struct TgCutter
{
	TgJob	   *job;
	int			nworkers;
	MemoryContext context;
	bool		is_open;		/* a slice has been begun */
	int			number;			/* of that slice */
	TgSliceWriter writer;
} TgCutter;

extern void tg_cutter_init(TgCutter *cutter, TgJob *job, int nworkers);
extern bool tg_cutter_is_full(const TgCutter *cutter);
extern void tg_cutter_cut(TgCutter *cutter);
extern void tg_cutter_add(TgCutter *cutter, MinimalTuple tuple);
extern void tg_cutter_finish(TgCutter *cutter);

#endif							/* TG_BULK_CUTTER_H */
