/*-------------------------------------------------------------------------
 *
 * src/worker/membership.h
 *	  The short-lived worker that changes the view, as the server starts it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_MEMBERSHIP_H
#define TG_WORKER_MEMBERSHIP_H

#include "fmgr.h"

extern PGDLLEXPORT void topgun_membership_main(Datum arg);

#endif							/* TG_WORKER_MEMBERSHIP_H */
