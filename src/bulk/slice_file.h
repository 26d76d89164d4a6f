/*-------------------------------------------------------------------------
 *
 * src/bulk/slice_file.h
 *	  The rows of a slice, in a temporary file that all workers of a job can
 *	  read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_SLICE_FILE_H
#define TG_BULK_SLICE_FILE_H

#include "access/htup_details.h"
#include "base/bytes.h"
#include "storage/buffile.h"
#include "storage/sharedfileset.h"

typedef struct TgSliceWriter
{
	BufFile    *file;
	int64		bytes;
} TgSliceWriter;

typedef struct TgSliceReader
{
	BufFile    *file;
	StringInfoData tuple;		/* the last one that was read */
} TgSliceReader;

extern void tg_slice_put(SharedFileSet *files, int slice, TgBytes bytes);
extern TgBytes tg_slice_get(SharedFileSet *files, int slice);
extern void tg_slice_remove(SharedFileSet *files, int slice);

extern void tg_slice_create(TgSliceWriter *writer, SharedFileSet *files, int slice);
extern void tg_slice_write(TgSliceWriter *writer, MinimalTuple tuple);
extern void tg_slice_complete(TgSliceWriter *writer);

extern void tg_slice_open(TgSliceReader *reader, SharedFileSet *files, int slice);
extern MinimalTuple tg_slice_read(TgSliceReader *reader);
extern void tg_slice_close(TgSliceReader *reader);

#endif							/* TG_BULK_SLICE_FILE_H */
