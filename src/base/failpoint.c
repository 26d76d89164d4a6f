/*-------------------------------------------------------------------------
 *
 * src/base/failpoint.c
 *	  Named places where a test can stop, break or kill a process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/wait.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "utils/wait_event.h"

#define MAX_FAILPOINTS		16
#define PAUSE_MS			5

typedef struct Failpoint
{
	char		name[NAMEDATALEN];
	TgFailAction action;
} Failpoint;

typedef struct FailpointShared
{
	pg_atomic_uint32 nset;		/* how many are not off */
	LWLock	   *lock;			/* protects the array */
	Failpoint	points[MAX_FAILPOINTS];
} FailpointShared;

pg_atomic_uint32 *tg_failpoints_set = NULL;

static FailpointShared *shared = NULL;

static TgFailAction
current_action(const char *name)
{
	TgFailAction action = TG_FAIL_OFF;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < MAX_FAILPOINTS; i++)
		if (strcmp(shared->points[i].name, name) == 0)
			action = shared->points[i].action;
	LWLockRelease(shared->lock);
	return action;
}

/*
 * Wait as SELECT pg_advisory_lock(1) would.  Isolation tests take only waits
 * for locks for what they are.
 */
static void
wait_for_lock(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 1, 1);
	(void) LockAcquire(&tag, ShareLock, false, false);
	LockRelease(&tag, ShareLock, false);
}

/*
 * Do what the test has asked for at this place.  Called by TG_FAILPOINT().
 */
void
tg_failpoint_reached(const char *name)
{
	TgFailAction action;

	while ((action = current_action(name)) == TG_FAIL_PAUSE)
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 PAUSE_MS, tg_wait_event(TG_WAIT_PAUSE));
		ResetLatch(MyLatch);
	}
	if (action == TG_FAIL_LOCK)
		wait_for_lock();
	if (action == TG_FAIL_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OPERATOR_INTERVENTION),
				 errmsg("failpoint \"%s\" reached", name)));
	if (action == TG_FAIL_EXIT)
		proc_exit(1);
	if (action == TG_FAIL_CRASH)
		kill(MyProcPid, SIGKILL);
}

/*
 * Arm or disarm a place.  Errors out if too many are in use.
 */
void
tg_failpoint_set(const char *name, TgFailAction action)
{
	Failpoint  *point = NULL;

	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("failpoint name \"%s\" is too long", name)));

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_FAILPOINTS; i++)
	{
		if (strcmp(shared->points[i].name, name) == 0)
		{
			point = &shared->points[i];
			break;
		}
		if (point == NULL && shared->points[i].action == TG_FAIL_OFF)
			point = &shared->points[i];
	}
	if (point != NULL)
	{
		int			before = point->action != TG_FAIL_OFF;

		strlcpy(point->name, name, NAMEDATALEN);
		point->action = action;
		pg_atomic_fetch_add_u32(&shared->nset, (action != TG_FAIL_OFF) - before);
	}
	LWLockRelease(shared->lock);

	if (point == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many failpoints are set")));
}

Size
tg_failpoint_shmem_size(void)
{
	return sizeof(FailpointShared);
}

void
tg_failpoint_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	tg_failpoints_set = &shared->nset;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	pg_atomic_init_u32(&shared->nset, 0);
	shared->lock = &GetNamedLWLockTranche("topgun failpoint")->lock;
}
