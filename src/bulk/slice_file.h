/*-------------------------------------------------------------------------
 *
 * src/bulk/slice_file.h
 *	  The changes of a slice, in a temporary file that all workers of a job
 *	  can read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_SLICE_FILE_H
#define TG_BULK_SLICE_FILE_H

#include "row/change.h"
#include "storage/buffile.h"
#include "storage/sharedfileset.h"

typedef struct TgSliceWriter
{
	BufFile    *file;
	int64		bytes;
} TgSliceWriter;

/* Some changes of a slice, in its order. */
typedef struct TgSliceReader
{
	BufFile    *file;
	int			max_changes;	/* at once */
	Size		max_bytes;		/* exceeded by less than one change */
	StringInfoData buf;
	TgChange   *changes;
	int			nchanges;
} TgSliceReader;

extern void tg_slice_put(SharedFileSet *files, int slice, TgBytes bytes);
extern TgBytes tg_slice_get(SharedFileSet *files, int slice);
extern void tg_slice_remove(SharedFileSet *files, int slice);

extern void tg_slice_create(TgSliceWriter *writer, SharedFileSet *files, int slice);
extern void tg_slice_write(TgSliceWriter *writer, const TgChange *change);
extern void tg_slice_complete(TgSliceWriter *writer);

extern void tg_slice_open(TgSliceReader *reader, SharedFileSet *files, int slice);
extern bool tg_slice_read(TgSliceReader *reader);
extern void tg_slice_close(TgSliceReader *reader);

#endif							/* TG_BULK_SLICE_FILE_H */
