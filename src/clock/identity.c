/*-------------------------------------------------------------------------
 *
 * src/clock/identity.c
 *	  Which node is this database?
 *
 * topgun.local_node says it; shared memory remembers it, so that a write asks
 * with one atomic read.  A transaction that makes the database a node knows
 * it at once, everybody else when it has committed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/database.h"
#include "base/error.h"
#include "clock/identity.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

typedef struct IdentityShared
{
	pg_atomic_uint32 node[TG_MAX_DATABASES];	/* 0 = not known; lock free */
} IdentityShared;

static IdentityShared *shared = NULL;

/* What this transaction has made of the database. */
static struct
{
	TgNodeId	node;			/* 0: nothing */
	int			nest;			/* transaction nest level */
}			assumed;

static TgNodeId
read_table(void)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	Snapshot	snapshot;
	TgNodeId	node = 0;

	if (!tg_catalog_exists())
		return 0;

	rel = table_open(tg_catalog_oid(TG_CAT_LOCAL_NODE), AccessShareLock);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = table_beginscan(rel, snapshot, 0, NULL);
	tuple = heap_getnext(scan, ForwardScanDirection);
	if (tuple != NULL)
	{
		bool		isnull;

		Oid			database = DatumGetObjectId(heap_getattr(tuple, 3, RelationGetDescr(rel), &isnull));

		/* a database made from this one as its template is not this node */
		if (database == MyDatabaseId)
			node = DatumGetInt32(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull));
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return node;
}

/*
 * The id of this node, or 0 if this database is none.  Needs a transaction
 * unless the answer is already known in shared memory.
 */
TgNodeId
tg_node_id(void)
{
	int			slot = tg_database_slot();
	TgNodeId	node = pg_atomic_read_u32(&shared->node[slot]);

	if (likely(node != 0))
		return node;
	if (assumed.node != 0)
		return assumed.node;

	node = read_table();
	if (node != 0)
		pg_atomic_write_u32(&shared->node[slot], node);
	return node;
}

/*
 * The id of this node.  Errors out if this database is none.
 */
TgNodeId
tg_node_id_required(void)
{
	TgNodeId	node = tg_node_id();

	if (node == 0)
		ereport(ERROR,
				(errcode(ERRCODE_TG_NOT_A_NODE),
				 errmsg("this database is not a node of a topgun cluster"),
				 errhint("Use topgun.create_cluster() or topgun.join().")));
	return node;
}

/*
 * This transaction makes the database a node.
 */
void
tg_node_id_assume(TgNodeId node)
{
	assumed.node = node;
	assumed.nest = GetCurrentTransactionNestLevel();
}

/*
 * This database is no node, whatever was known before.
 */
void
tg_node_id_forget(void)
{
	pg_atomic_write_u32(&shared->node[tg_database_slot()], 0);
}

static void
end_assumption(XactEvent event, void *arg)
{
	if (assumed.node == 0)
		return;
	if (event == XACT_EVENT_COMMIT)
		pg_atomic_write_u32(&shared->node[tg_database_slot()], assumed.node);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		assumed.node = 0;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId my_id, SubTransactionId parent_id, void *arg)
{
	int			nest = GetCurrentTransactionNestLevel();

	if (assumed.nest < nest)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		assumed.node = 0;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		assumed.nest = nest - 1;
}

/*
 * Follow the ends of transactions.  Call once, from _PG_init().
 */
void
tg_identity_install(void)
{
	RegisterXactCallback(end_assumption, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

Size
tg_identity_shmem_size(void)
{
	return sizeof(IdentityShared);
}

void
tg_identity_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	for (int i = 0; i < TG_MAX_DATABASES; i++)
		pg_atomic_init_u32(&shared->node[i], 0);
}
