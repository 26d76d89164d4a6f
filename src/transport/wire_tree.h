/*-------------------------------------------------------------------------
 *
 * src/transport/wire_tree.h
 *	  Messages by which two nodes compare and repair a table, and their
 *	  bytes.  Pure.
 *
 * docs/protocol.md describes the bytes; see wire.h for the messages of pulls
 * and copies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_WIRE_TREE_H
#define TG_TRANSPORT_WIRE_TREE_H

#include "base/bytes.h"
#include "base/types.h"
#include "bulk/leaf_rows.h"
#include "bulk/scan.h"
#include "digest/tree.h"
#include "transport/state.h"
#include "transport/wire_part.h"

/* Some groups of a tree: one bit each. */
typedef struct TgGroupSet
{
	uint64		words[TG_TREE_GROUPS / 64];
} TgGroupSet;

static inline void
tg_group_set_add(TgGroupSet *set, int group)
{
	set->words[group / 64] |= UINT64CONST(1) << (group % 64);
}

static inline bool
tg_group_set_has(const TgGroupSet *set, int group)
{
	return (set->words[group / 64] >> (group % 64)) & 1;
}

/* What is asked about one table. */
typedef struct TgTreeQuestion
{
	TgTableId	table;
	uint64		root;			/* the asker's: send the groups if yours
								 * differs */
	TgGroupSet	leaves_of;		/* send the leaves of these */
} TgTreeQuestion;

/* "How do these tables stand with you?" */
typedef struct TgTreeRequest
{
	TgSpeaker	asker;
	TgScanKind	kind;			/* stored trees, or made from the contents now */
	uint32		nquestions;
	TgTreeQuestion *questions;
} TgTreeRequest;

/* The answer to one question. */
typedef struct TgTreePart
{
	TgTableId	table;
	TgTableStatus status;		/* nothing else holds unless it is synced */
	uint64		fingerprint;
	TgStamp		truncation;
	uint64		root;
	uint64		rows;
	bool		has_groups;
	uint64		groups[TG_TREE_GROUPS];
	TgTreeGroup *leaves[TG_TREE_GROUPS];	/* NULL: not asked for */
} TgTreePart;

/* The answer to a tree request. */
typedef struct TgTreeAnswer
{
	TgNodeId	sender;
	TgEpoch		epoch;
	TgPosition	position;		/* of the newest transaction in the trees */
	TgCursor	merged;			/* of the asker's journal, all of it in the
								 * trees */
	TgStamp		gc_floor;
	uint32		nparts;
	TgTreePart *parts;
} TgTreeAnswer;

/* "Which keys do you have in these leaves?" */
typedef struct TgKeysRequest
{
	TgSpeaker	asker;
	TgTableId	table;
	uint64		fingerprint;
	TgScanKind	kind;			/* contents: with digests of them */
	TgLeafSet	leaves;
} TgKeysRequest;

/* Opens a part of the answer; nrows rows must follow. */
typedef struct TgKeysHead
{
	TgNodeId	sender;
	TgScanKind	kind;
	bool		is_last;
	uint32		nrows;
} TgKeysHead;

/* A key and the newest version of it that a node has. */
typedef enum TgVersionKind
{
	TG_VERSION_NONE,			/* neither row nor tombstone; no stamp */
	TG_VERSION_ROW,
	TG_VERSION_DELETED
} TgVersionKind;

typedef struct TgKeyVersion
{
	TgBytes		key;
	TgVersionKind kind;
	TgStamp		stamp;
} TgKeyVersion;

/* "Which is newer of each of these, yours or mine?" */
typedef struct TgVersionsRequest
{
	TgSpeaker	asker;
	TgTableId	table;
	uint64		fingerprint;
	bool		returning;		/* the asker may have what was long deleted */
	TgStamp		known;			/* when returning: it has all deletions up to
								 * here; else 0 */
	TgStamp		truncation;		/* the asker's */
	uint32		max_bytes;		/* a hint for the size of the answer */
	uint32		nkeys;
	TgKeyVersion *keys;
} TgVersionsRequest;

/* What the answerer has of a key, and what it says to the asker's. */
typedef struct TgVerdict
{
	TgVersionKind sent;			/* its version is newer and comes along */
	bool		wanted;			/* send me yours */
	TgStamp		stamp;			/* of its version */
} TgVerdict;

typedef struct TgVersionsAnswer
{
	TgNodeId	sender;
	bool		wants_truncation;	/* the asker's is newer */
	uint32		nverdicts;		/* for as many keys as there was room for */
	TgVerdict  *verdicts;
	TgBytes		answer;			/* an ordinary answer, see wire.h */
} TgVersionsAnswer;

/* "What are these rows with you?", and: "Give them a fresh stamp." */
typedef struct TgRowsRequest
{
	TgSpeaker	asker;
	TgTableId	table;
	uint64		fingerprint;
	uint32		nkeys;
	TgBytes    *keys;
} TgRowsRequest;

typedef struct TgRowState
{
	bool		exists;
	TgStamp		stamp;			/* of the row, else of its last deletion, or
								 * TG_NO_STAMP */
	uint64		digest;			/* of the contents; 0 unless it exists */
} TgRowState;

typedef struct TgRowsAnswer
{
	TgNodeId	sender;
	TgPosition	position;		/* nothing newer was seen */
	uint32		nrows;			/* as many as there were keys */
	TgRowState *rows;
} TgRowsAnswer;

extern void tg_wire_write_tree(StringInfo buf, const TgTreeRequest *request);
extern bool tg_wire_read_tree(TgReader *reader, TgTreeRequest *request);
extern void tg_wire_write_tree_answer(StringInfo buf, const TgTreeAnswer *answer);
extern bool tg_wire_read_tree_answer(TgReader *reader, TgTreeAnswer *answer);
extern void tg_wire_write_keys(StringInfo buf, const TgKeysRequest *request);
extern bool tg_wire_read_keys(TgReader *reader, TgKeysRequest *request);
extern void tg_wire_write_keys_head(StringInfo buf, const TgKeysHead *head);
extern bool tg_wire_read_keys_head(TgReader *reader, TgKeysHead *head);
extern void tg_wire_write_leaf_row(StringInfo buf, TgScanKind kind, const TgLeafRow *row);
extern bool tg_wire_read_leaf_row(TgReader *reader, TgScanKind kind, TgLeafRow *row);
extern void tg_wire_write_versions(StringInfo buf, const TgVersionsRequest *request);
extern bool tg_wire_read_versions(TgReader *reader, TgVersionsRequest *request);
extern void tg_wire_write_versions_answer(StringInfo buf, const TgVersionsAnswer *answer);
extern bool tg_wire_read_versions_answer(TgReader *reader, TgVersionsAnswer *answer);
extern void tg_wire_write_rows(StringInfo buf, const TgRowsRequest *request);
extern bool tg_wire_read_rows(TgReader *reader, TgRowsRequest *request);
extern void tg_wire_write_rows_answer(StringInfo buf, const TgRowsAnswer *answer);
extern bool tg_wire_read_rows_answer(TgReader *reader, TgRowsAnswer *answer);

#endif							/* TG_TRANSPORT_WIRE_TREE_H */
