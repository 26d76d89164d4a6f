/*-------------------------------------------------------------------------
 *
 * src/worker/membership.c
 *	  The short-lived worker that changes the view, as the server starts it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "cluster/view_errand.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "worker/membership.h"

/*
 * The main function.  Its argument is the memory that a session shares with
 * it, if one waits.
 */
void
topgun_membership_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	tg_view_errand_main(arg);
	proc_exit(0);
}
