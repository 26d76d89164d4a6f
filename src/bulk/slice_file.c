/*-------------------------------------------------------------------------
 *
 * src/bulk/slice_file.c
 *	  The changes of a slice, in a temporary file that all workers of a job
 *	  can read.
 *
 * The files belong to the shared memory segment of the job: whoever detaches
 * last removes them, and a server start removes what a crash has left.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>

#include "bulk/slice_file.h"

#define BATCH_CHANGES	1024
#define BATCH_BYTES		(256 * 1024)
#define NAME_SIZE		24

/* Before the payload of each change. */
typedef struct Head
{
	TgStamp		stamp;
	uint32		kind;
	uint32		len;
} Head;

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
 * Append a change.
 */
void
tg_slice_write(TgSliceWriter *writer, const TgChange *change)
{
	Head		head = {.stamp = change->stamp,.kind = change->kind,.len = change->payload.len};

	BufFileWrite(writer->file, &head, sizeof(head));
	BufFileWrite(writer->file, unconstify(char *, change->payload.data), change->payload.len);
	writer->bytes += sizeof(head) + change->payload.len;
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
	reader->max_changes = BATCH_CHANGES;
	reader->max_bytes = BATCH_BYTES;
	initStringInfo(&reader->buf);
	reader->changes = palloc(reader->max_changes * sizeof(TgChange));
	reader->nchanges = 0;
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
 * Read one change into the buffer; its place there, since the buffer may move.
 */
static bool
read_one(TgSliceReader *reader, Size *place)
{
	TgChange   *change = &reader->changes[reader->nchanges];
	Head		head;
	Size		got = BufFileRead(reader->file, &head, sizeof(head));

	if (got == 0)
		return false;
	require_bytes(got, sizeof(head));

	*place = reader->buf.len;
	enlargeStringInfo(&reader->buf, head.len);
	require_bytes(BufFileRead(reader->file, reader->buf.data + reader->buf.len, head.len), head.len);
	reader->buf.len += head.len;
	change->kind = head.kind;
	change->stamp = head.stamp;
	change->payload.len = head.len;
	return true;
}

/*
 * Read the next changes into reader->changes, where they stay until the next
 * call.  False at the end of the slice.
 */
bool
tg_slice_read(TgSliceReader *reader)
{
	Size	   *places = palloc(reader->max_changes * sizeof(Size));

	resetStringInfo(&reader->buf);
	reader->nchanges = 0;
	while (reader->nchanges < reader->max_changes && reader->buf.len < reader->max_bytes &&
		   read_one(reader, &places[reader->nchanges]))
		reader->nchanges++;
	for (int i = 0; i < reader->nchanges; i++)
		reader->changes[i].payload.data = reader->buf.data + places[i];
	pfree(places);
	return reader->nchanges > 0;
}

/*
 * Close a slice.
 */
void
tg_slice_close(TgSliceReader *reader)
{
	BufFileClose(reader->file);
	pfree(reader->buf.data);
	pfree(reader->changes);
}

/*
 * Write the file of a slice that is not made of changes.
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
