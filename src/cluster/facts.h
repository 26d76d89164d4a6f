/*-------------------------------------------------------------------------
 *
 * src/cluster/facts.h
 *	  What two nodes must have in common before they exchange rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_FACTS_H
#define TG_CLUSTER_FACTS_H

#include "base/types.h"
#include "transport/link.h"

typedef struct TgFacts
{
	TgNodeId	node;
	char	   *cluster_id;
	int			wire_version;
	char	   *encoding;
	char	   *collation;
	TgStamp		clock;
} TgFacts;

extern char *tg_facts_text(void);
extern TgFacts *tg_facts_ask(TgLink *link);
extern void tg_facts_require_alike(const TgFacts *theirs);

#endif							/* TG_CLUSTER_FACTS_H */
