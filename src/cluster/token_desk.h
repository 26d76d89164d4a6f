/*-------------------------------------------------------------------------
 *
 * src/cluster/token_desk.h
 *	  Where tokens are issued, and where they are asked for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_TOKEN_DESK_H
#define TG_CLUSTER_TOKEN_DESK_H

#include "base/types.h"

typedef enum TgTokenAction
{
	TG_TOKEN_ISSUE,				/* the result is the token */
	TG_TOKEN_VALIDATE,			/* 1 or 0 */
	TG_TOKEN_RELEASE			/* 1 or 0 */
} TgTokenAction;

/* "Do this for me." */
typedef struct TgTokenRequest
{
	TgTokenAction action;
	TgNodeId	asker;
	TgEpoch		epoch;			/* the asker's */
	const char *resource;
	int64		token;			/* not to issue */
} TgTokenRequest;

extern int64 tg_token_ask(TgTokenAction action, const char *resource, int64 token);
extern int64 tg_token_answer(const TgTokenRequest *request);

#endif							/* TG_CLUSTER_TOKEN_DESK_H */
