/*-------------------------------------------------------------------------
 *
 * src/transport/crew.h
 *	  Merging large answers with workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_CREW_H
#define TG_TRANSPORT_CREW_H

#include "bulk/pool.h"
#include "transport/merge_answer.h"

typedef struct TgCrew TgCrew;

extern bool tg_crew_suits(const TgAnswer *answer);
extern TgCrew *tg_crew_begin(TgNodeId peer, int nworkers, MemoryContext context);
extern bool tg_crew_has_room(TgCrew *crew, const TgAnswer *answer);
extern void tg_crew_start(TgCrew *crew, const TgAnswer *answer, TgVector *vector);
extern bool tg_crew_finish(TgCrew *crew, TgMergeCounts *counts);
extern void tg_crew_end(TgCrew *crew);

extern void tg_crew_slice(TgSliceRun *run);

#endif							/* TG_TRANSPORT_CREW_H */
