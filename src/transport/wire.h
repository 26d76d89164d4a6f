/*-------------------------------------------------------------------------
 *
 * src/transport/wire.h
 *	  Messages between two nodes, and their bytes.  Pure.
 *
 * A message is one bytea, an argument or a result of a function in schema
 * topgun_internal.  docs/protocol.md describes the bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_WIRE_H
#define TG_TRANSPORT_WIRE_H

#include "base/bytes.h"
#include "base/types.h"
#include "clock/vector.h"
#include "row/change.h"
#include "transport/wire_part.h"

/* "What is new in your journal?" */
typedef struct TgPullRequest
{
	TgSpeaker	asker;
	TgCursor	cursor;			/* read up to here */
	TgCursor	flushed;		/* and durably merged up to here */
	bool		in_step;		/* with all tables in step at that point */
	TgStamp		settled;		/* everybody's writes up to it are durably
								 * merged there; TG_NO_STAMP: not known */
	TgVector   *vector;			/* the asker's, its own mark included */
	bool		give_back;		/* send what came from the asker, too */
	uint32		max_bytes;		/* a hint for the size of the answer */
} TgPullRequest;

/* "What rows has this table after this key?" */
typedef struct TgCopyRequest
{
	TgSpeaker	asker;
	TgTableId	table;
	bool		has_after;		/* else from the first key */
	TgBytes		after;			/* key bytes */
	TgStamp		newer_than;		/* of tombstones, only these */
	uint32		max_bytes;
} TgCopyRequest;

/* Comes before the changes of an answer to either request. */
typedef struct TgAnswerHead
{
	TgSpeaker	sender;
	TgCursor	cursor;			/* the answer brings the asker up to here */
	TgPosition	last_position;	/* of the sender's newest transaction */
	bool		acknowledge;	/* somebody waits to hear that the asker has
								 * all this durably */
	bool		complete;		/* nothing is left up to the cursor's horizon */
	TgVector   *vector;			/* covered once the answer is merged */
	uint32		ntables;		/* table sections that follow */
} TgAnswerHead;

/* Opens the changes of one table. */
typedef struct TgSectionHead
{
	TgTableId	table;
	uint64		fingerprint;	/* of columns and key, see row/table.h */
	uint32		nchanges;
} TgSectionHead;

extern void tg_wire_write_pull(StringInfo buf, const TgPullRequest *request);
extern bool tg_wire_read_pull(TgReader *reader, TgPullRequest *request);
extern void tg_wire_write_copy(StringInfo buf, const TgCopyRequest *request);
extern bool tg_wire_read_copy(TgReader *reader, TgCopyRequest *request);
extern void tg_wire_write_answer(StringInfo buf, const TgAnswerHead *head);
extern bool tg_wire_read_answer(TgReader *reader, TgAnswerHead *head);
extern void tg_wire_write_section(StringInfo buf, const TgSectionHead *head);
extern bool tg_wire_read_section(TgReader *reader, TgSectionHead *head);
extern void tg_wire_write_change(StringInfo buf, const TgChange *change);
extern bool tg_wire_read_change(TgReader *reader, TgChange *change);

#endif							/* TG_TRANSPORT_WIRE_H */
