/*-------------------------------------------------------------------------
 *
 * src/transport/state.h
 *	  How a replicated table stands on this node: topgun.table_state.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_STATE_H
#define TG_TRANSPORT_STATE_H

#include "base/bytes.h"
#include "base/types.h"
#include "nodes/pg_list.h"

/* Each state lists those that may follow. */
typedef enum TgTableStatus
{
	TG_TABLE_SYNCED,			/* PAUSED, COPYING */
	TG_TABLE_COPYING,			/* SYNCED, PAUSED */
	TG_TABLE_PAUSED,			/* its schema differs from a peer's; COPYING */
	TG_TABLE_MISSING			/* it is not here; COPYING */
} TgTableStatus;

typedef struct TgTableState
{
	TgTableId	table;
	Oid			relid;
	TgTableStatus status;
	char	   *reason;			/* NULL: none */
	TgNodeId	copy_from;		/* 0: nobody */
	TgBytes		copy_after;		/* where the copy goes on; data NULL: start */
} TgTableState;

extern bool tg_table_state_get(TgTableId table, TgTableState *state);
extern void tg_table_state_put(const TgTableState *state);
extern void tg_table_state_remove(TgTableId table);
extern List *tg_table_states(void);
extern bool tg_tables_in_step(void);

#endif							/* TG_TRANSPORT_STATE_H */
