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
	TG_OP_ANNOUNCE = 5,			/* the row was there before; send it */
	TG_OP_BEGIN = 6				/* no key, no stamps: the table was attached */
} TgOp;

/*
 * The old row's stamp is TG_NO_STAMP if it had none or there was no row.
 *
 * A TRUNCATE had rows if they went all at once, so that no other entry names
 * them; one that was merged row by row had none.  An ANNOUNCE had a row if
 * that is in the table, and none if the version waits in quarantine.  Of a
 * transaction with a BEGIN, or with a TRUNCATE that had rows, the entries can
 * come in any order.
 */
typedef struct TgEntry
{
	TgTableId	table;
	TgOp		op;
	bool		had_row;		/* old_stamp belongs to a row, see above */
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
