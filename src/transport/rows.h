/*-------------------------------------------------------------------------
 *
 * src/transport/rows.h
 *	  Rows of given keys: what they are, and a fresh stamp for them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_ROWS_H
#define TG_TRANSPORT_ROWS_H

#include "transport/wire_tree.h"
#include "utils/relcache.h"

extern TgRowState *tg_read_rows(Relation rel, const TgBytes *keys, uint32 nkeys,
								TgPosition *position);
extern int	tg_restamp_rows(Relation rel, const TgBytes *keys, uint32 nkeys);
extern StringInfo tg_answer_rows(const TgRowsRequest *request);
extern int	tg_answer_restamp(const TgRowsRequest *request);

#endif							/* TG_TRANSPORT_ROWS_H */
