/*-------------------------------------------------------------------------
 *
 * src/clock/vector.c
 *	  Per origin node a stamp: every write of it up to there is merged.  Pure.
 *
 * Bytes: number of entries (16 bits), then for each entry, in ascending order
 * of nodes, node (16 bits) and stamp (64 bits).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "clock/vector.h"

#define INITIAL_ENTRIES		8
#define ENTRY_BYTES			(sizeof(uint16) + sizeof(uint64))

static TgVector *
create_sized(int max_entries)
{
	TgVector   *vector = palloc(sizeof(TgVector));

	vector->nentries = 0;
	vector->max_entries = Max(max_entries, INITIAL_ENTRIES);
	vector->entries = palloc(vector->max_entries * sizeof(TgVectorEntry));
	return vector;
}

/*
 * Index of the node's entry, or of the place where it belongs.
 */
static int
find_place(const TgVector *vector, TgNodeId node)
{
	int			low = 0;
	int			high = vector->nentries;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (vector->entries[middle].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
has_entry_at(const TgVector *vector, int place, TgNodeId node)
{
	return place < vector->nentries && vector->entries[place].node == node;
}

static void
insert_at(TgVector *vector, int place, TgNodeId node, TgStamp stamp)
{
	if (vector->nentries == vector->max_entries)
	{
		vector->max_entries *= 2;
		vector->entries = repalloc(vector->entries,
								   vector->max_entries * sizeof(TgVectorEntry));
	}

	memmove(&vector->entries[place + 1], &vector->entries[place],
			(vector->nentries - place) * sizeof(TgVectorEntry));
	vector->entries[place].node = node;
	vector->entries[place].stamp = stamp;
	vector->nentries++;
}

/*
 * A vector that covers nothing, in the current memory context, where it stays
 * when it grows.
 */
TgVector *
tg_vector_create(void)
{
	return create_sized(0);
}

/*
 * Give its memory back.
 */
void
tg_vector_free(TgVector *vector)
{
	if (vector->entries != NULL)
		pfree(vector->entries);
	pfree(vector);
}

/*
 * A copy in the current memory context.
 */
TgVector *
tg_vector_copy(const TgVector *vector)
{
	TgVector   *copy = create_sized(vector->nentries);

	copy->nentries = vector->nentries;
	memcpy(copy->entries, vector->entries,
		   vector->nentries * sizeof(TgVectorEntry));
	return copy;
}

/*
 * Up to where the node's writes are covered; TG_NO_STAMP if none is.
 */
TgStamp
tg_vector_get(const TgVector *vector, TgNodeId node)
{
	int			place = find_place(vector, node);

	if (!has_entry_at(vector, place, node))
		return TG_NO_STAMP;
	return vector->entries[place].stamp;
}

/*
 * Cover the node's writes up to stamp.  Never goes back.  Returns true if the
 * vector has grown.
 */
bool
tg_vector_raise(TgVector *vector, TgNodeId node, TgStamp stamp)
{
	int			place = find_place(vector, node);

	Assert(node >= 1 && node <= TG_MAX_NODE);

	if (stamp <= tg_vector_get(vector, node))
		return false;

	if (has_entry_at(vector, place, node))
		vector->entries[place].stamp = stamp;
	else
		insert_at(vector, place, node, stamp);
	return true;
}

/*
 * Cover what either of the two covers.  Returns true if the vector has grown.
 */
bool
tg_vector_merge(TgVector *vector, const TgVector *other)
{
	bool		grown = false;

	for (int i = 0; i < other->nentries; i++)
	{
		const TgVectorEntry *entry = &other->entries[i];

		if (tg_vector_raise(vector, entry->node, entry->stamp))
			grown = true;
	}
	return grown;
}

/*
 * Is the write with this stamp merged for sure?  Never so for TG_NO_STAMP,
 * which says nothing about its writer.
 */
bool
tg_vector_covers(const TgVector *vector, TgStamp stamp)
{
	if (stamp == TG_NO_STAMP)
		return false;
	return stamp <= tg_vector_get(vector, tg_stamp_node(stamp));
}

/*
 * Append the vector's bytes.  Equal vectors have equal bytes.
 */
void
tg_vector_write(StringInfo buf, const TgVector *vector)
{
	tg_write_u16(buf, vector->nentries);
	for (int i = 0; i < vector->nentries; i++)
	{
		tg_write_u16(buf, vector->entries[i].node);
		tg_write_u64(buf, vector->entries[i].stamp);
	}
}

/*
 * Read a vector into the current memory context.  If the bytes are not what
 * tg_vector_write() writes, returns NULL and the reader has failed.
 */
TgVector *
tg_vector_read(TgReader *reader)
{
	uint16		nentries = tg_read_u16(reader);
	TgVector   *vector;
	TgNodeId	previous = 0;

	if (!tg_reader_ok(reader) ||
		nentries > TG_MAX_NODE ||
		nentries > tg_reader_left(reader) / ENTRY_BYTES)
	{
		tg_reader_fail(reader);
		return NULL;
	}

	vector = create_sized(nentries);
	for (int i = 0; i < nentries; i++)
	{
		TgNodeId	node = tg_read_u16(reader);
		TgStamp		stamp = tg_read_u64(reader);

		if (node <= previous || node > TG_MAX_NODE || stamp == TG_NO_STAMP)
		{
			tg_reader_fail(reader);
			return NULL;
		}
		vector->entries[i].node = node;
		vector->entries[i].stamp = stamp;
		previous = node;
	}
	vector->nentries = nentries;
	return vector;
}
