/*-------------------------------------------------------------------------
 *
 * src/transport/member.c
 *	  Members of the cluster: topgun.node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/catalog.h"
#include "transport/member.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	COLUMN_ID = 1, COLUMN_NAME, COLUMN_DSN, COLUMN_STATE
};

static TgMember *
read_member(HeapTuple tuple, TupleDesc desc)
{
	TgMember   *member = palloc(sizeof(TgMember));
	bool		isnull;
	char	   *state = TextDatumGetCString(heap_getattr(tuple, COLUMN_STATE, desc, &isnull));

	member->node = DatumGetInt32(heap_getattr(tuple, COLUMN_ID, desc, &isnull));
	member->name = TextDatumGetCString(heap_getattr(tuple, COLUMN_NAME, desc, &isnull));
	member->dsn = TextDatumGetCString(heap_getattr(tuple, COLUMN_DSN, desc, &isnull));
	member->is_active = strcmp(state, "active") == 0;
	return member;
}

/*
 * All members that this node knows of, itself included, as of now.
 */
List *
tg_members(void)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_NODE), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tuple;
	List	   *members = NIL;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
		members = lappend(members, read_member(tuple, RelationGetDescr(rel)));
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return members;
}

/*
 * The member with this id, or NULL.
 */
TgMember *
tg_member_find(TgNodeId node)
{
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->node == node)
			return member;
	}
	return NULL;
}
