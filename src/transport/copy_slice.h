/*-------------------------------------------------------------------------
 *
 * src/transport/copy_slice.h
 *	  Copying one range of keys from a peer: a slice of a bulk job.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_COPY_SLICE_H
#define TG_TRANSPORT_COPY_SLICE_H

#include "bulk/job.h"

/* What the slices of a copy need to know. */
typedef struct TgCopyParams
{
	TgTableId	table;
	TgNodeId	peer;
	TgStamp		copy;			/* as in TgCopyProgress */
	bool		was_empty;
	int			nranges;
	int			ranges[FLEXIBLE_ARRAY_MEMBER];	/* number of each slice's */
} TgCopyParams;

extern void tg_copy_slice(TgSliceRun *run);

#endif							/* TG_TRANSPORT_COPY_SLICE_H */
