/*-------------------------------------------------------------------------
 *
 * src/transport/view_store.c
 *	  The view this node is in, on disk: topgun.cluster_state.
 *
 * One row: the newest view, and what this node has promised and voted about
 * its successor.  A new view takes the place of all that.  Whoever changes it
 * holds SHARE ROW EXCLUSIVE on the table, for a moment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/error.h"
#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "storage/lmgr.h"
#include "transport/peer.h"
#include "transport/view_store.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define HISTORY			100		/* epochs that are remembered */

enum
{
	COLUMN_EPOCH = 1, COLUMN_VIEW, COLUMN_PROMISED, COLUMN_ACCEPTED, COLUMN_ACCEPTED_VIEW
};

/* What this transaction makes of the view, for its end. */
static struct
{
	bool		is_changed;
	bool		is_first;		/* before it this database was no node */
	TgEpoch		epoch;			/* 0: this database is no node any more */
	uint64		view_id;
	bool		is_member;
}			change;

static TgBytes
copy_bytes(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? tg_bytes(NULL, 0) : tg_bytes_of_varlena(DatumGetByteaPCopy(value));
}

static uint64
read_ballot(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;

	return (uint64) DatumGetInt64(heap_getattr(tuple, column, desc, &isnull));
}

static TgView *
read_view(TgBytes bytes)
{
	TgView	   *view = palloc(sizeof(TgView));
	TgReader	reader;

	tg_reader_init(&reader, bytes.data, bytes.len);
	if (!tg_view_read(&reader, view))
		elog(ERROR, "the view in topgun.cluster_state is broken");
	return view;
}

/*
 * The row as of now; NULL if there is none.
 */
static TgView *
read_row(TgVoteState *votes)
{
	Relation	rel = table_open(tg_catalog_oid(TG_CAT_CLUSTER_STATE), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tuple = heap_getnext(scan, ForwardScanDirection);
	TgView	   *view = NULL;

	if (tuple != NULL)
	{
		TupleDesc	desc = RelationGetDescr(rel);

		view = read_view(copy_bytes(tuple, desc, COLUMN_VIEW));
		votes->promised = read_ballot(tuple, desc, COLUMN_PROMISED);
		votes->accepted = read_ballot(tuple, desc, COLUMN_ACCEPTED);
		votes->value = copy_bytes(tuple, desc, COLUMN_ACCEPTED_VIEW);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return view;
}

/*
 * The newest view that this node knows, in the current memory context; NULL if
 * this database is no node.  Needs a transaction.
 */
TgView *
tg_view_current(void)
{
	TgVoteState votes;

	return tg_catalog_exists() && tg_node_id() != 0 ? read_row(&votes) : NULL;
}

/*
 * The same, and the votes, for whoever is going to change them: nobody else
 * will until the transaction ends.  Errors out if this database is no node.
 */
TgView *
tg_view_lock(TgVoteState *votes)
{
	TgView	   *view;

	(void) tg_node_id_required();
	LockRelationOid(tg_catalog_oid(TG_CAT_CLUSTER_STATE), ShareRowExclusiveLock);
	view = read_row(votes);
	if (view == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TG_NOT_A_NODE),
				 errmsg("this node is in no view of a cluster")));
	return view;
}

static char *
quote_bytes(TgBytes bytes)
{
	StringInfoData buf;

	if (bytes.data == NULL)
		return "NULL";
	initStringInfo(&buf);
	/* without a backslash, which not all settings read in the same way */
	appendStringInfoString(&buf, "pg_catalog.decode('");
	enlargeStringInfo(&buf, bytes.len * 2 + 1);
	buf.len += hex_encode(bytes.data, bytes.len, buf.data + buf.len);
	buf.data[buf.len] = '\0';
	appendStringInfoString(&buf, "', 'hex')");
	return buf.data;
}

/*
 * Store what this node has promised and voted, after tg_view_lock().  It is on
 * disk when the transaction has ended, whatever synchronous_commit says.
 */
void
tg_view_save_votes(const TgVoteState *votes)
{
	TgSqlSession session;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("UPDATE topgun.cluster_state SET promised = " INT64_FORMAT
					  ", accepted = " INT64_FORMAT ", accepted_view = %s",
					  (int64) votes->promised, (int64) votes->accepted, quote_bytes(votes->value));
	tg_sql_end(&session);
	ForceSyncCommit();
}

/*
 * The bytes of a view, in the current memory context.
 */
TgBytes
tg_view_bytes(const TgView *view)
{
	StringInfoData buf;

	initStringInfo(&buf);
	tg_view_write(&buf, view);
	return tg_bytes_of_buf(&buf);
}

static char *
quote_members(const TgView *view)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < view->nmembers; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 quote_literal_cstr(view->members[i].name));
	return buf.data;
}

static void
write_history(const TgView *view)
{
	(void) tg_sql_run("DELETE FROM topgun.epoch_history WHERE epoch <= " INT64_FORMAT
					  " OR epoch >= " INT64_FORMAT,
					  (int64) view->epoch - HISTORY, (int64) view->epoch);
	(void) tg_sql_run("INSERT INTO topgun.epoch_history (epoch, at, members, reason, proposer, forced) "
					  "VALUES (" INT64_FORMAT ", %s, ARRAY[%s]::text[], %s, %d, %s)",
					  (int64) view->epoch, quote_literal_cstr(timestamptz_to_str(view->at)),
					  quote_members(view), quote_literal_cstr(tg_view_reason_text(view->reason, view->subject)), view->proposer,
					  view->reason == TG_VIEW_FORCE ? "true" : "false");
}

/*
 * Make this the view of this node, in the caller's transaction, which is
 * flushed.  The caller holds tg_view_lock(), unless this is the first view, and
 * knows that it was decided and is newer.  Nothing is said of topgun.node.
 */
void
tg_view_install(const TgView *view)
{
	TgSqlSession session;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("DELETE FROM topgun.cluster_state");
	(void) tg_sql_run("INSERT INTO topgun.cluster_state (epoch, view) VALUES (" INT64_FORMAT ", %s)",
					  (int64) view->epoch, quote_bytes(tg_view_bytes(view)));
	write_history(view);
	tg_sql_end(&session);
	ForceSyncCommit();
	change.is_changed = true;
	ereport(LOG,
			(errmsg("epoch %llu of the cluster: %s", (unsigned long long) view->epoch,
					tg_view_reason_text(view->reason, view->subject))));
}

/*
 * Make this the first view of a database that becomes a node in the caller's
 * transaction.  What the transaction asks of peers is of this epoch already,
 * not of one that an attempt before it has left behind.
 */
void
tg_view_install_first(const TgView *view)
{
	tg_view_install(view);
	change.is_first = true;
	tg_epoch_forget();
	tg_epoch_advance(view->epoch, view->id, true);
}

/*
 * Tell the atomic word of the epoch, after a start.
 */
void
tg_view_load_epoch(void)
{
	TgView	   *view = tg_view_current();

	if (view != NULL)
		tg_epoch_advance(view->epoch, view->id, tg_view_has(view, tg_node_id()));
}

/*
 * Is this node to come back to the peer by difference?
 */
bool
tg_is_returning_to(TgNodeId peer)
{
	TgSqlSession session;
	bool		is_returning;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	is_returning = tg_sql_run("SELECT FROM topgun.returning_to WHERE peer_id = %d", peer) > 0;
	tg_sql_end(&session);
	return is_returning;
}

/*
 * From now on it is, or has done so.
 */
void
tg_set_returning_to(TgNodeId peer, bool is_returning)
{
	TgSqlSession session;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	if (is_returning)
		(void) tg_sql_run("INSERT INTO topgun.returning_to VALUES (%d) ON CONFLICT DO NOTHING", peer);
	else
		(void) tg_sql_run("DELETE FROM topgun.returning_to WHERE peer_id = %d", peer);
	tg_sql_end(&session);
}

/*
 * What the transaction leaves behind, subtransactions that failed aside, is
 * read just before it ends.
 */
static void
end_change(XactEvent event, void *arg)
{
	if (!change.is_changed)
		return;
	if (event == XACT_EVENT_PRE_COMMIT)
	{
		TgView	   *view = tg_view_current();

		change.epoch = view != NULL ? view->epoch : 0;
		change.view_id = view != NULL ? view->id : 0;
		change.is_member = view != NULL && tg_view_has(view, tg_node_id());
		return;
	}
	if (event == XACT_EVENT_COMMIT && change.epoch != 0)
	{
		tg_epoch_advance(change.epoch, change.view_id, change.is_member);
		tg_peer_forget_settled();
	}
	if (event == XACT_EVENT_ABORT && change.is_first)
		tg_epoch_forget();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		change.is_changed = change.is_first = false;
}

/*
 * Follow the ends of transactions, and say how the epoch is found after a
 * start.  Call once, from _PG_init().
 */
void
tg_view_store_install(void)
{
	RegisterXactCallback(end_change, NULL);
	tg_epoch_install(tg_view_load_epoch);
}
