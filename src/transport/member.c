/*-------------------------------------------------------------------------
 *
 * src/transport/member.c
 *	  Members of the cluster.
 *
 * topgun.node is the address book, also of those that have been members; it
 * travels as any table, and may be late.  Who is a member, the view says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/catalog.h"
#include "transport/member.h"
#include "transport/view_store.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	COLUMN_ID = 1, COLUMN_NAME, COLUMN_DSN
};

static TgMember *
read_member(HeapTuple tuple, TupleDesc desc)
{
	TgMember   *member = palloc(sizeof(TgMember));
	bool		isnull;

	member->node = DatumGetInt32(heap_getattr(tuple, COLUMN_ID, desc, &isnull));
	member->name = TextDatumGetCString(heap_getattr(tuple, COLUMN_NAME, desc, &isnull));
	member->dsn = TextDatumGetCString(heap_getattr(tuple, COLUMN_DSN, desc, &isnull));
	member->is_active = member->is_newcomer = false;
	member->since = 0;
	return member;
}

/*
 * Everybody in the address book.
 */
static List *
read_book(void)
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

static TgMember *
find_in(List *members, TgNodeId node)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		TgMember   *member = lfirst(lc);

		if (member->node == node)
			return member;
	}
	return NULL;
}

/*
 * All members that this node knows of, past ones and itself included, as of
 * now.  One that the address book does not have yet is reached as its view
 * says.
 */
List *
tg_members(void)
{
	List	   *members = read_book();
	TgView	   *view = tg_view_current();

	for (int i = 0; view != NULL && i < view->nmembers; i++)
	{
		const TgViewMember *in_view = &view->members[i];
		TgMember   *member = find_in(members, in_view->node);

		if (member == NULL)
		{
			member = palloc(sizeof(TgMember));
			member->node = in_view->node;
			member->name = in_view->name;
			member->dsn = in_view->dsn;
			members = lappend(members, member);
		}
		member->is_active = true;
		member->is_newcomer = in_view->node == tg_view_newcomer(view);
		member->since = in_view->since;
	}
	return members;
}

/*
 * The member with this id, or NULL.
 */
TgMember *
tg_member_find(TgNodeId node)
{
	return find_in(tg_members(), node);
}
