/*-------------------------------------------------------------------------
 *
 * src/worker/joiner.h
 *	  The first part of a join, in a process of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_JOINER_H
#define TG_WORKER_JOINER_H

#include "base/types.h"

extern TgNodeId tg_join_in_background(const char *name, const char *dsn, const char *via);

extern PGDLLEXPORT void topgun_joiner_main(Datum arg);

#endif							/* TG_WORKER_JOINER_H */
