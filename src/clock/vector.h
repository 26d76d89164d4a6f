/*-------------------------------------------------------------------------
 *
 * src/clock/vector.h
 *	  Per origin node a stamp: every write of it up to there is merged.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLOCK_VECTOR_H
#define TG_CLOCK_VECTOR_H

#include "base/bytes.h"
#include "base/types.h"

typedef struct TgVectorEntry
{
	TgNodeId	node;
	TgStamp		stamp;
} TgVectorEntry;

/* Entries are sorted by node; a node without entry stands at TG_NO_STAMP. */
typedef struct TgVector
{
	int			nentries;
	int			max_entries;
	TgVectorEntry *entries;
} TgVector;

extern TgVector *tg_vector_create(void);
extern void tg_vector_free(TgVector *vector);
extern TgVector *tg_vector_copy(const TgVector *vector);
extern TgStamp tg_vector_get(const TgVector *vector, TgNodeId node);
extern bool tg_vector_raise(TgVector *vector, TgNodeId node, TgStamp stamp);
extern bool tg_vector_merge(TgVector *vector, const TgVector *other);
extern bool tg_vector_covers(const TgVector *vector, TgStamp stamp);
extern void tg_vector_write(StringInfo buf, const TgVector *vector);
extern TgVector *tg_vector_read(TgReader *reader);

#endif							/* TG_CLOCK_VECTOR_H */
