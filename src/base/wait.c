/*-------------------------------------------------------------------------
 *
 * src/base/wait.c
 *	  What our processes wait for, as pg_stat_activity shows it.
 *
 * Up to PostgreSQL 16 that is "Extension", whatever it is.  The names are made
 * known when the server starts: later, it could fail, and some who wait must
 * not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/wait.h"

typedef struct WaitShared
{
	uint32		events[TG_WAITS];	/* set at the start */
} WaitShared;

static WaitShared *shared = NULL;

/*
 * The number to wait under.
 */
uint32
tg_wait_event(TgWait which)
{
	return shared != NULL ? shared->events[which] : PG_WAIT_EXTENSION;
}

Size
tg_wait_shmem_size(void)
{
	return sizeof(WaitShared);
}

void
tg_wait_shmem_attach(void *ptr, bool found)
{
	static const char *const names[] = {
		[TG_WAIT_IDLE] = "TopgunIdle",
		[TG_WAIT_PEER] = "TopgunPeer",
		[TG_WAIT_CHANGES] = "TopgunChanges",
		[TG_WAIT_ACKNOWLEDGEMENT] = "TopgunAcknowledgement",
		[TG_WAIT_JOB] = "TopgunJob",
		[TG_WAIT_PAUSE] = "TopgunPause",
	};

	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_WAITS; i++)
		shared->events[i] = tg_new_wait_event(names[i]);
}
