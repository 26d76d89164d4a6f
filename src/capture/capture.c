/*-------------------------------------------------------------------------
 *
 * src/capture/capture.c
 *	  How local writes to replicated tables are seen.
 *
 * The planner gives each row that is written a fresh stamp (stamp_plan.c); an
 * AFTER trigger checks it and journals the change (trigger.c, truncate.c).
 * What the planner does not see is COPY without a column list, and partitions
 * that are added to a replicated table (utility.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "capture/capture.h"
#include "capture/stamp_plan.h"
#include "capture/utility.h"

/*
 * Install the hooks.  Call once, from _PG_init().
 */
void
tg_capture_install(void)
{
	tg_stamp_plan_install();
	tg_utility_install();
}
