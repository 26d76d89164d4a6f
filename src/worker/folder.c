/*-------------------------------------------------------------------------
 *
 * src/worker/folder.c
 *	  The worker that brings the journal into the trees.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/catalog.h"
#include "base/guc.h"
#include "clock/identity.h"
#include "journal/fold.h"
#include "utils/guc.h"
#include "worker/folder.h"
#include "worker/loop.h"

/*
 * One round, unless there is nothing to do or somebody else does it.  To wait
 * for the lock would keep an old snapshot alive.
 */
static bool
fold_journal(void)
{
	if (!tg_catalog_exists() || tg_node_id() == 0)
		return false;
	return tg_fold_is_due() && tg_fold_lock(false) && tg_fold();
}

/*
 * Main function of the folder.
 */
void
topgun_folder_main(Datum arg)
{
	static TgTask tasks[] = {
		{.name = "fold journal",.setting_ms = &tg_fold_interval_ms,.run = fold_journal},
	};
	TgWorker	worker;

	tg_worker_start(arg, "topgun folder", &worker);
	/* what a crash takes is folded again */
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	tg_worker_loop(tasks, lengthof(tasks));
}
