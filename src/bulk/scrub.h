/*-------------------------------------------------------------------------
 *
 * src/bulk/scrub.h
 *	  Looking, one table after the other, whether trees still tell the truth.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BULK_SCRUB_H
#define TG_BULK_SCRUB_H

#include "base/types.h"
#include "datatype/timestamp.h"

extern bool tg_scrub(void);
extern void tg_scrub_table(TgTableId table);
extern TimestampTz tg_scrub_last(TgTableId table);

extern Size tg_scrub_shmem_size(void);
extern void tg_scrub_shmem_attach(void *ptr, bool found);

#endif							/* TG_BULK_SCRUB_H */
