/*-------------------------------------------------------------------------
 *
 * src/journal/entry.h
 *	  One change of one key, and its bytes in the journal.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_ENTRY_H
#define TG_JOURNAL_ENTRY_H

#include "base/bytes.h"
#include "base/types.h"

typedef enum TgOp
{
	TG_OP_INSERT = 1,			/* no old row */
	TG_OP_UPDATE = 2,
	TG_OP_DELETE = 3,			/* new_stamp is the tombstone's */
	TG_OP_TRUNCATE = 4,			/* no key; new_stamp is the truncation's */
	TG_OP_ANNOUNCE = 5			/* the row was there before; send it */
} TgOp;

/* The old row's stamp is TG_NO_STAMP if it had none or there was no row. */
typedef struct TgEntry
{
	TgTableId	table;
	TgOp		op;
	bool		had_row;		/* old_stamp belongs to a row */
	TgStamp		old_stamp;
	TgStamp		new_stamp;
	TgBytes		key;
} TgEntry;

/* Why tg_entry_read() stopped. */
typedef enum TgEntryStatus
{
	TG_ENTRY_OK,
	TG_ENTRY_END,				/* no more bytes */
	TG_ENTRY_BROKEN				/* not what tg_entry_write() writes */
} TgEntryStatus;

/* tg_entry_write() adds at most this to the length of the key. */
#define TG_ENTRY_OVERHEAD		32

extern void tg_entry_write(StringInfo buf, const TgEntry *entry);
extern TgEntryStatus tg_entry_read(TgReader *reader, TgEntry *entry);

#endif							/* TG_JOURNAL_ENTRY_H */
