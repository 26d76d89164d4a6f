/*-------------------------------------------------------------------------
 *
 * src/merge/kept.h
 *	  Keys whose tombstones stay, since a version of them waits in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_MERGE_KEPT_H
#define TG_MERGE_KEPT_H

#include "row/sweep.h"

extern TgKeptKeys tg_kept_keys(void);

#endif							/* TG_MERGE_KEPT_H */
