/*-------------------------------------------------------------------------
 *
 * src/row/change.h
 *	  The newest version of a row, as one node tells it to another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_CHANGE_H
#define TG_ROW_CHANGE_H

#include "base/bytes.h"
#include "base/types.h"

typedef enum TgChangeKind
{
	TG_CHANGE_ROW = 1,			/* payload: the row's values, see table.h */
	TG_CHANGE_DELETE = 2,		/* payload: key bytes, see key.h */
	TG_CHANGE_TRUNCATE = 3		/* no payload */
} TgChangeKind;

typedef struct TgChange
{
	TgChangeKind kind;
	TgStamp		stamp;
	TgBytes		payload;
} TgChange;

#endif							/* TG_ROW_CHANGE_H */
