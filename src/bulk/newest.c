/*-------------------------------------------------------------------------
 *
 * src/bulk/newest.c
 *	  The changes that the rows of a slice want: the newest of each key.
 *
 * The rows come in the order of their keys, so those of one key come one after
 * the other.  Two of them would not do, since what is written for the first
 * has a stamp newer than both.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bulk/newest.h"
#include "utils/memutils.h"

#define BATCH_CHANGES	1024
#define BATCH_BYTES		(256 * 1024)

/*
 * Begin to read changes, in the current memory context.
 */
void
tg_newest_begin(TgNewest *newest, TgSliceReader *reader, TgSourceRow *source)
{
	memset(newest, 0, sizeof(*newest));
	newest->reader = reader;
	newest->source = source;
	newest->scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun source row",
											ALLOCSET_DEFAULT_SIZES);
	newest->changes = palloc((BATCH_CHANGES + 1) * sizeof(TgChange));
	initStringInfo(&newest->payloads);
	initStringInfo(&newest->key);
	initStringInfo(&newest->next_key);
}

/*
 * Free what was allocated.
 */
void
tg_newest_end(TgNewest *newest)
{
	MemoryContextDelete(newest->scratch);
	pfree(newest->changes);
	pfree(newest->payloads.data);
	pfree(newest->key.data);
	pfree(newest->next_key.data);
}

/*
 * As a merge would compare them.
 */
static int
compare(const TgChange *a, const char *payload_a, const TgChange *b, const char *payload_b)
{
	int			cmp;

	if (a->stamp != b->stamp)
		return a->stamp > b->stamp ? 1 : -1;
	if (a->kind != b->kind)
		return a->kind == TG_CHANGE_DELETE ? 1 : -1;
	if (a->kind == TG_CHANGE_DELETE)
		return 0;
	cmp = memcmp(payload_a, payload_b, Min(a->payload.len, b->payload.len));
	return cmp != 0 ? cmp : (a->payload.len > b->payload.len) - (a->payload.len < b->payload.len);
}

/*
 * The next change is of the same key as the last one: only one of them stays,
 * in the last one's place.
 */
static void
choose(TgNewest *newest)
{
	TgChange   *last = &newest->changes[newest->nchanges - 1];
	TgChange   *next = &newest->changes[newest->nchanges];
	char	   *next_payload = newest->payloads.data + newest->payloads.len - next->payload.len;
	char	   *last_payload = next_payload - last->payload.len;
	int			cmp = compare(next, next_payload, last, last_payload);

	if (cmp == 0)
		newest->equal++;
	else
		newest->older++;
	newest->payloads.len -= cmp > 0 ? last->payload.len : next->payload.len;
	if (cmp <= 0)
		return;
	memmove(last_payload, next_payload, next->payload.len);
	*last = *next;
}

static void
keep_next(TgNewest *newest)
{
	StringInfoData key = newest->key;

	newest->key = newest->next_key;
	newest->next_key = key;
	newest->nchanges++;
}

/*
 * What did not fit before is the first change now.
 */
static void
take_over_next(TgNewest *newest)
{
	StringInfo	payloads = &newest->payloads;
	uint32		len = newest->changes[newest->nchanges].payload.len;

	memmove(payloads->data, payloads->data + payloads->len - len, len);
	payloads->len = len;
	newest->changes[0] = newest->changes[newest->nchanges];
	newest->nchanges = 0;
	newest->has_next = false;
	keep_next(newest);
}

/*
 * Read a row as the change after the last one; false if there is none.
 */
static bool
read_next(TgNewest *newest)
{
	MinimalTuple tuple = tg_slice_read(newest->reader);
	MemoryContext old;

	if (tuple == NULL)
		return false;
	old = MemoryContextSwitchTo(newest->scratch);
	resetStringInfo(&newest->next_key);
	tg_source_row_change(newest->source, tuple, &newest->changes[newest->nchanges],
						 &newest->next_key, &newest->payloads);
	MemoryContextSwitchTo(old);
	MemoryContextReset(newest->scratch);
	return true;
}

static bool
is_full(const TgNewest *newest)
{
	return newest->nchanges == BATCH_CHANGES || newest->payloads.len >= BATCH_BYTES;
}

static void
point_to_payloads(TgNewest *newest)
{
	char	   *at = newest->payloads.data;

	for (int i = 0; i < newest->nchanges; i++)
	{
		newest->changes[i].payload.data = at;
		at += newest->changes[i].payload.len;
	}
}

/*
 * Read the next changes into newest->changes, where they stay until the next
 * call.  False at the end of the slice.
 */
bool
tg_newest_read(TgNewest *newest)
{
	TgKeySpec  *key = newest->source->table->key;

	if (newest->has_next)
		take_over_next(newest);
	else
	{
		newest->nchanges = 0;
		resetStringInfo(&newest->payloads);
	}

	while (!newest->has_next)
	{
		bool		full = is_full(newest);

		if (!read_next(newest))
			break;
		if (newest->nchanges > 0 &&
			tg_key_equal(key, tg_bytes_of_buf(&newest->key), tg_bytes_of_buf(&newest->next_key)))
			choose(newest);
		else if (full)
			newest->has_next = true;
		else
			keep_next(newest);
	}
	point_to_payloads(newest);
	return newest->nchanges > 0;
}
