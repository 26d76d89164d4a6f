/*-------------------------------------------------------------------------
 *
 * src/transport/key_list.h
 *	  Keys that two nodes do not have alike, kept for later.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_KEY_LIST_H
#define TG_TRANSPORT_KEY_LIST_H

#include "transport/key_join.h"

typedef struct TgKeyList TgKeyList;

extern TgKeyList *tg_key_list_create(bool outlives_transaction);
extern void tg_key_list_add(TgKeyList *list, const TgKeyPair *pair);
extern bool tg_key_list_next(TgKeyList *list, TgKeyPair *pair);
extern void tg_key_list_free(TgKeyList *list);

#endif							/* TG_TRANSPORT_KEY_LIST_H */
