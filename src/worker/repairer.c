/*-------------------------------------------------------------------------
 *
 * src/worker/repairer.c
 *	  The worker that finds out whether nodes still hold the same rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "bulk/scrub.h"
#include "common/pg_prng.h"
#include "transport/repair_round.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "worker/loop.h"
#include "worker/repairer.h"

#define LOCK_TIMEOUT	"60s"	/* then another table has its turn */

/*
 * Begin at any moment of the first interval, so that nodes that were started
 * together do not compare all at once.
 */
static void
scatter(TgTask *tasks, int ntasks)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < ntasks; i++)
		tasks[i].due = now + (TimestampTz) (pg_prng_double(&pg_global_prng_state) *
											tg_repair_interval_ms * 1000.0);
}

/*
 * Main function of the repairer.
 */
void
topgun_repairer_main(Datum arg)
{
	static TgTask tasks[] = {
		{.name = "compare with peers",.setting_ms = &tg_repair_interval_ms,.ignores_latch = true,.run = tg_repair_round},
		{.name = "scrub",.setting_ms = &tg_repair_interval_ms,.ignores_latch = true,.run = tg_scrub},
	};
	TgWorker	worker;

	tg_worker_start(arg, "topgun repairer", &worker);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION);
	scatter(tasks, lengthof(tasks));
	tg_worker_loop(tasks, lengthof(tasks));
}
