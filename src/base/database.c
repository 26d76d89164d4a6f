/*-------------------------------------------------------------------------
 *
 * src/base/database.c
 *	  Each database that is a node has a place in our shared arrays.
 *
 * A place is claimed by the first process that asks for it and is kept until
 * the server stops, so it can be remembered without a lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "miscadmin.h"
#include "port/atomics.h"

typedef struct DatabaseShared
{
	pg_atomic_uint32 oids[TG_MAX_DATABASES];	/* 0 = free; lock free */
} DatabaseShared;

static DatabaseShared *shared = NULL;
static int	my_slot = -1;

/*
 * The place of the database we are connected to: 0..TG_MAX_DATABASES-1.
 * Errors out if the library was not preloaded or all places are taken.
 */
int
tg_database_slot(void)
{
	if (my_slot >= 0)
		return my_slot;

	if (shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("topgun is not loaded at server start"),
				 errhint("Add \"topgun\" to shared_preload_libraries and restart the server.")));
	Assert(OidIsValid(MyDatabaseId));

	for (int i = 0; i < TG_MAX_DATABASES; i++)
	{
		uint32		owner = 0;

		if (pg_atomic_compare_exchange_u32(&shared->oids[i], &owner, MyDatabaseId) ||
			owner == MyDatabaseId)
			return my_slot = i;
	}

	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("too many databases of this server are topgun nodes"),
			 errdetail("At most %d can be.", TG_MAX_DATABASES)));
}

Size
tg_database_shmem_size(void)
{
	return sizeof(DatabaseShared);
}

void
tg_database_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u32(&shared->oids[i], 0);
}
