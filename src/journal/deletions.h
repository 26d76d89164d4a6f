/*-------------------------------------------------------------------------
 *
 * src/journal/deletions.h
 *	  Which keys does a transaction leave deleted?  Their tombstones.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_JOURNAL_DELETIONS_H
#define TG_JOURNAL_DELETIONS_H

#include "base/types.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"

/* Encoded entries that fit into one journal row. */
typedef struct TgPiece
{
	slist_node	link;
	StringInfoData entries;
} TgPiece;

extern void tg_deletions_remember_table(TgTableId id, Oid relid);
extern void tg_deletions_write(slist_head *pieces, int segment, TgStamp batch);
extern void tg_deletions_forget(void);

#endif							/* TG_JOURNAL_DELETIONS_H */
