/*-------------------------------------------------------------------------
 *
 * src/merge/waiting.h
 *	  Which rows are in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_WAITING_H
#define TG_MERGE_WAITING_H

#include "base/bytes.h"
#include "base/types.h"

#define TG_WAITING_GROUP_BYTES	(16 * 1024 * 1024)	/* tried together, about */

typedef struct TgWaiting
{
	TgTableId	table;
	TgBytes		key;
	TgStamp		stamp;			/* of the version that waits */
	bool		is_doubtful;	/* it may have been deleted here */
	int32		bytes;			/* of its payload */
} TgWaiting;

typedef struct TgWaitingList
{
	TgWaiting  *rows;
	int			nrows;
} TgWaitingList;

extern TgWaitingList tg_waiting_due(void);
extern TgWaitingList tg_waiting_of(TgTableId table, const TgBytes *key);

#endif							/* TG_MERGE_WAITING_H */
