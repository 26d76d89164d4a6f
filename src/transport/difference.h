/*-------------------------------------------------------------------------
 *
 * src/transport/difference.h
 *	  What comparing each table with each peer has shown, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_DIFFERENCE_H
#define TG_TRANSPORT_DIFFERENCE_H

#include "base/types.h"
#include "datatype/timestamp.h"

#define TG_MAX_DIFFERENCES		4096	/* tables times peers, of all
										 * databases */

typedef struct TgDifference
{
	int			database;		/* slot + 1; 0: free */
	TgTableId	table;
	TgNodeId	peer;
	uint64		root;			/* the peer's, when compared last */
	int			leaves;			/* that differed */
	TimestampTz since;			/* when the first of them was seen; 0: none do */
	TimestampTz compared;		/* last; 0: never */
	int64		rows_repaired;	/* on either side */
	int64		bytes;			/* that this has taken */
} TgDifference;

extern void tg_difference_compared(TgTableId table, TgNodeId peer, uint64 root, int leaves);
extern void tg_difference_repaired(TgTableId table, TgNodeId peer, int64 rows, int64 bytes);
extern int	tg_difference_list(TgDifference *differences);
extern void tg_difference_reset(void);

extern Size tg_difference_shmem_size(void);
extern void tg_difference_shmem_attach(void *ptr, bool found);

#endif							/* TG_TRANSPORT_DIFFERENCE_H */
