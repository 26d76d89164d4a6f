/*-------------------------------------------------------------------------
 *
 * src/capture/attach_check.h
 *	  Which tables can be replicated?
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_ATTACH_CHECK_H
#define TG_CAPTURE_ATTACH_CHECK_H

#include "utils/relcache.h"

extern void tg_attach_require_whole_table(Relation rel);
extern void tg_attach_require_suitable(Relation rel);
extern bool tg_attach_has_stamp_column(Relation rel);

#endif							/* TG_CAPTURE_ATTACH_CHECK_H */
