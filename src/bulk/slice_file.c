/*-------------------------------------------------------------------------
 *
 * src/bulk/slice_file.c
 *	  The rows of a slice, in a temporary file that all workers of a job can
 *	  read.
 *
 * The files belong to the shared memory segment of the job: whoever detaches
 * last removes them, and a server start removes what a crash has left.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>

#include "bulk/slice_file.h"

#define NAME_SIZE		24

static void
name_of(int slice, char *name)
{
	snprintf(name, NAME_SIZE, "slice%d", slice);
}

/*
 * Begin the file of a slice.  It must be completed in the same transaction.
 */
void
tg_slice_create(TgSliceWriter *writer, SharedFileSet *files, int slice)
{
	char		name[NAME_SIZE];

	name_of(slice, name);
	writer->file = BufFileCreateFileSet(&files->fs, name);
	writer->bytes = 0;
}

/*
 * Append a tuple; it has no value outside of it.
 */
void
tg_slice_write(TgSliceWriter *writer, MinimalTuple tuple)
{
	Assert(!(tuple->t_infomask & HEAP_HASEXTERNAL));

	BufFileWrite(writer->file, tuple, tuple->t_len);
	writer->bytes += tuple->t_len;
}

/*
 * The slice is complete: others may read it.
 */
void
tg_slice_complete(TgSliceWriter *writer)
{
	BufFileExportFileSet(writer->file);
	BufFileClose(writer->file);
	writer->file = NULL;
}

/*
 * Open a slice that is complete, in the current memory context, until
 * tg_slice_close() or the end of the transaction.
 */
void
tg_slice_open(TgSliceReader *reader, SharedFileSet *files, int slice)
{
	char		name[NAME_SIZE];

	name_of(slice, name);
	reader->file = BufFileOpenFileSet(&files->fs, name, O_RDONLY, false);
	initStringInfo(&reader->tuple);
}

static void
require_bytes(Size got, Size wanted)
{
	if (got != wanted)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("temporary file of a slice ends too early: read %zu of %zu bytes",
						got, wanted)));
}

/*
 * The next tuple, until the next call; NULL at the end of the slice.
 */
MinimalTuple
tg_slice_read(TgSliceReader *reader)
{
	uint32		len;
	Size		got = BufFileRead(reader->file, &len, sizeof(len));

	StaticAssertStmt(offsetof(MinimalTupleData, t_len) == 0, "a tuple begins with its length");
	if (got == 0)
		return NULL;
	require_bytes(got, sizeof(len));

	resetStringInfo(&reader->tuple);
	appendBinaryStringInfo(&reader->tuple, (char *) &len, sizeof(len));
	enlargeStringInfo(&reader->tuple, len);
	require_bytes(BufFileRead(reader->file, reader->tuple.data + sizeof(len), len - sizeof(len)),
				  len - sizeof(len));
	return (MinimalTuple) reader->tuple.data;
}

/*
 * Close a slice.
 */
void
tg_slice_close(TgSliceReader *reader)
{
	BufFileClose(reader->file);
	pfree(reader->tuple.data);
}

/*
 * Write the file of a slice that is not made of tuples.
 */
void
tg_slice_put(SharedFileSet *files, int slice, TgBytes bytes)
{
	TgSliceWriter writer;

	tg_slice_create(&writer, files, slice);
	BufFileWrite(writer.file, unconstify(char *, bytes.data), bytes.len);
	tg_slice_complete(&writer);
}

/*
 * Read it, in the current memory context.
 */
TgBytes
tg_slice_get(SharedFileSet *files, int slice)
{
	char		name[NAME_SIZE];
	BufFile    *file;
	int64		len;
	char	   *data;

	name_of(slice, name);
	file = BufFileOpenFileSet(&files->fs, name, O_RDONLY, false);
	len = BufFileSize(file);
	data = palloc_extended(Max(len, 1), MCXT_ALLOC_HUGE);
	require_bytes(BufFileRead(file, data, len), len);
	BufFileClose(file);
	return tg_bytes(data, len);
}

/*
 * The slice is done: its file, if it has one, may go.
 */
void
tg_slice_remove(SharedFileSet *files, int slice)
{
	char		name[NAME_SIZE];

	name_of(slice, name);
	BufFileDeleteFileSet(&files->fs, name, true);
}
