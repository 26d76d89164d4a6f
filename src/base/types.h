/*-------------------------------------------------------------------------
 *
 * src/base/types.h
 *	  The words every other module speaks: nodes, stamps, tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_TYPES_H
#define TG_BASE_TYPES_H

/* A member of a cluster: 1..TG_MAX_NODE.  0 means "no node". */
typedef uint16 TgNodeId;

#define TG_MAX_NODE				1023

/*
 * The version of a row: 42 bits of milliseconds since 2000-01-01 UTC, 12 bits
 * counter, 10 bits node id; compared as unsigned.  TG_NO_STAMP, older than
 * every other, stands for SQL NULL: a row that no node has written.
 */
typedef uint64 TgStamp;

#define TG_NO_STAMP				UINT64CONST(0)

/*
 * A place in one node's journal.  It is a stamp of that node's clock, but
 * never the stamp of a row: positions and stamps are never compared.
 */
typedef uint64 TgPosition;

/*
 * How far a reader has come in one node's journal: everything before
 * "position", and of the transaction at "position" the parts up to "part".
 */
typedef struct TgCursor
{
	TgPosition	position;
	uint32		part;
} TgCursor;

#define TG_WHOLE_POSITION		PG_UINT32_MAX	/* part: all of them */

static inline TgCursor
tg_cursor_after(TgPosition position)
{
	TgCursor	cursor = {position, TG_WHOLE_POSITION};

	return cursor;
}

/* Has a reader with this cursor read all of the transaction there? */
static inline bool
tg_cursor_has(TgCursor cursor, TgPosition position)
{
	return cursor.position > position ||
		(cursor.position == position && cursor.part == TG_WHOLE_POSITION);
}

/* A replicated table, the same number on every node.  0 is never assigned. */
typedef int32 TgTableId;

#define TG_FIRST_USER_TABLE		16	/* below are topgun.node and the like */

/*
 * One life of a node, from one start of its server to the next.  Its counter
 * is greater than that of the one before; a copy of the node has another
 * random number.  Counter 0: not known.
 */
typedef struct TgIncarnation
{
	uint32		counter;
	uint64		random;
} TgIncarnation;

static inline bool
tg_incarnation_is(TgIncarnation a, TgIncarnation b)
{
	return a.counter == b.counter && a.random == b.random;
}

/* The cluster epoch: the number of the membership view. */
typedef uint64 TgEpoch;

#endif							/* TG_BASE_TYPES_H */
