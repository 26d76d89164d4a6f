/*-------------------------------------------------------------------------
 *
 * src/api/repair.c
 *	  SQL functions that compare tables with those of a peer, and repair them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "api/tree.h"
#include "base/compat.h"
#include "base/error.h"
#include "clock/identity.h"
#include "fmgr.h"
#include "funcapi.h"
#include "journal/append.h"
#include "miscadmin.h"
#include "row/stamp.h"
#include "row/table.h"
#include "tcop/utility.h"
#include "transport/alike.h"
#include "transport/compare.h"
#include "transport/difference.h"
#include "transport/repair.h"
#include "transport/verify.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(topgun_merkle_diff);
PG_FUNCTION_INFO_V1(topgun_repair);
PG_FUNCTION_INFO_V1(topgun_verify);
PG_FUNCTION_INFO_V1(topgun_repair_status);

#define MAX_COLUMNS		8

/* A table and a peer, as a call has named them. */
typedef struct Call
{
	FunctionCallInfo fcinfo;
	Oid			relid;			/* locked, but not open: it may be truncated */
	char	   *name;
	TgTableId	table;
	TgMember   *peer;
	TgLink	   *link;
	TupleDesc	key_desc;		/* of the key columns alone */
	MemoryContext scratch;		/* reset for each row */
} Call;

static TgMember *
find_node(const char *name)
{
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);

		if (member->is_active && strcmp(member->name, name) == 0)
			return member;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("node \"%s\" is not an active member of this cluster", name),
			 errhint("See topgun.node for the members.")));
}

static TgMember *
find_peer(const char *name)
{
	TgMember   *member = find_node(name);

	if (member->node == tg_node_id_required())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("node \"%s\" is this node", name),
				 errhint("Name the node to compare with.")));
	return member;
}

static Relation
open_table(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!tg_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	return rel;
}

/*
 * What this transaction has written is nobody else's business before it
 * commits; and it must see what has been committed last.
 */
static void
check_transaction(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tables cannot be compared in a transaction of this isolation level"),
				 errhint("Use READ COMMITTED.")));
	if (tg_journal_has_changes())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("tables cannot be compared in a transaction that has written to replicated tables"),
				 errhint("Commit first.")));
}

static TupleDesc
describe_key(Relation rel)
{
	TgKeySpec  *key = tg_table_get(rel)->key;
	TupleDesc	desc = CreateTemplateTupleDesc(key->ncolumns);

	for (int i = 0; i < key->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), key->columns[i].attno - 1);

		TupleDescInitEntry(desc, i + 1, NameStr(att->attname), att->atttypid, att->atttypmod, 0);
		TupleDescInitEntryCollation(desc, i + 1, att->attcollation);
	}
	return BlessTupleDesc(desc);
}

static void
take_table(Call *call, Oid relid)
{
	Relation	rel = open_table(relid);

	call->relid = relid;
	call->name = pstrdup(RelationGetRelationName(rel));
	call->table = tg_require_tree(rel);
	relation_close(tg_open_comparable(call->table), NoLock);
	call->key_desc = describe_key(rel);
	relation_close(rel, NoLock);
}

/*
 * Arguments that all of these functions have: the table and the peer's name.
 */
static void
begin_call(Call *call, FunctionCallInfo fcinfo)
{
	memset(call, 0, sizeof(*call));
	call->fcinfo = fcinfo;
	PreventCommandDuringRecovery("comparing with a peer");
	(void) tg_node_id_required();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("table and node must not be null")));
	check_transaction();
	take_table(call, PG_GETARG_OID(0));
	call->peer = find_peer(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	InitMaterializedSRF(fcinfo, 0);
	call->scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun result row",
										  ALLOCSET_DEFAULT_SIZES);
	call->link = tg_link_open(call->peer->dsn, call->peer->name);
}

static void
end_call(Call *call)
{
	tg_link_close(call->link);
	MemoryContextDelete(call->scratch);
}

static void
emit(Call *call, Datum *values, bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) call->fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static Datum
key_to_jsonb(Call *call, TgBytes key)
{
	Relation	rel = relation_open(call->relid, NoLock);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS] = {0};
	HeapTuple	tuple;
	Datum		json;

	tg_key_read(tg_table_get(rel)->key, key, values);
	relation_close(rel, NoLock);
	tuple = heap_form_tuple(call->key_desc, values, nulls);
	json = DirectFunctionCall1(row_to_json, HeapTupleGetDatum(tuple));
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(json)));
}

/*
 * A row of a result: a key, what there is to say of it, both stamps.
 */
static void
emit_key(Call *call, TgBytes key, const char *text, TgStamp ours, TgStamp theirs)
{
	MemoryContext old = MemoryContextSwitchTo(call->scratch);
	bool		nulls[] = {false, false, ours == TG_NO_STAMP, theirs == TG_NO_STAMP};
	Datum		values[lengthof(nulls)];

	values[0] = key_to_jsonb(call, key);
	values[1] = CStringGetTextDatum(text);
	values[2] = TgStampGetDatum(ours);
	values[3] = TgStampGetDatum(theirs);
	emit(call, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(call->scratch);
}

/*
 * The leaves that are suspect, and how the peer's table stands.
 */
static TgLook *
compare(Call *call)
{
	TgLook	   *look = tg_compare(call->link, call->peer, call->table);

	if (look->their_status != TG_TABLE_SYNCED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not in step on node \"%s\"",
						call->name, call->peer->name),
				 errhint("See topgun.stat_table on that node.")));
	tg_difference_compared(call->table, call->peer->node, look->their_root, look->ndifferences);
	return look;
}

static Datum
digest_text(TgLeafDigest digest)
{
	return CStringGetTextDatum(psprintf("%016llx", (unsigned long long) digest.sum));
}

/*
 * topgun.merkle_diff(rel, node_name): the leaves that differ for good.
 */
Datum
topgun_merkle_diff(PG_FUNCTION_ARGS)
{
	Call		call;
	TgLook	   *look;

	begin_call(&call, fcinfo);
	look = compare(&call);
	for (int i = 0; i < look->ndifferences; i++)
	{
		TgLeafDifference *difference = &look->differences[i];
		bool		nulls[5] = {0};
		Datum		values[lengthof(nulls)] = {
			Int32GetDatum((int32) difference->leaf),
			Int64GetDatum(difference->ours.rows),
			Int64GetDatum(difference->theirs.rows),
			digest_text(difference->ours),
			digest_text(difference->theirs)
		};

		emit(&call, values, nulls);
	}
	end_call(&call);
	PG_RETURN_VOID();
}

static const char *
name_action(const TgRepairedKey *key)
{
	if (key->sent_here == TG_VERSION_ROW)
		return "fetched";
	if (key->sent_there == TG_VERSION_ROW)
		return "pushed";
	if (key->sent_here == TG_VERSION_DELETED)
		return "deleted here";
	if (key->sent_there == TG_VERSION_DELETED)
		return "deleted there";
	return "equal after all";
}

static void
report_repaired(void *arg, const TgRepairedKey *key)
{
	emit_key(arg, key->key, name_action(key), key->our_stamp, key->their_stamp);
}

/*
 * topgun.repair(rel, node_name, dry_run): make the rows the same here and
 * there; what became of each key that differed.
 */
Datum
topgun_repair(PG_FUNCTION_ARGS)
{
	Call		call;
	TgLook	   *look;
	TgLeafSet  *leaves = palloc(sizeof(TgLeafSet));
	TgRepair	repair = {.leaves = leaves,.report = report_repaired,.report_arg = &call};

	repair.dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	if (!repair.dry_run)
		PreventCommandIfReadOnly("topgun.repair()");
	begin_call(&call, fcinfo);
	repair.link = call.link;
	repair.peer = call.peer;
	repair.table = call.table;
	look = compare(&call);
	if (look->ndifferences > 0)
	{
		tg_look_leaves(look, leaves);
		tg_repair(&repair);
		if (!repair.dry_run)
			tg_difference_repaired(call.table, call.peer->node,
								   repair.counts.applied_here + repair.counts.applied_there,
								   look->bytes + repair.counts.bytes);
	}
	end_call(&call);
	PG_RETURN_VOID();
}

static void
report_finding(void *arg, const TgKeyPair *pair)
{
	const char *finding = "contents differ";

	if (!pair->ours.exists)
		finding = "missing here";
	else if (!pair->theirs.exists)
		finding = "missing there";
	else if (pair->ours.stamp != pair->theirs.stamp)
		finding = "stamps differ";
	emit_key(arg, pair->key, finding, pair->ours.stamp, pair->theirs.stamp);
}

/*
 * topgun.verify(rel, node_name, winner): compare contents; each key that
 * differs.
 */
Datum
topgun_verify(PG_FUNCTION_ARGS)
{
	Call		call;
	TgVerify	verify = {.report = report_finding,.report_arg = &call};

	begin_call(&call, fcinfo);
	if (!PG_ARGISNULL(2))
	{
		TgMember   *winner = find_node(text_to_cstring(PG_GETARG_TEXT_PP(2)));

		PreventCommandIfReadOnly("topgun.verify() with a winner");
		if (winner->node != call.peer->node && winner->node != tg_node_id_required())
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the winner must be this node or node \"%s\"", call.peer->name)));
		verify.winner = winner->node;
	}
	verify.link = call.link;
	verify.peer = call.peer;
	verify.rel = relation_open(call.relid, NoLock);
	tg_verify(&verify);
	relation_close(verify.rel, NoLock);
	end_call(&call);
	PG_RETURN_VOID();
}

/*
 * What comparing with peers has shown: behind topgun.stat_repair.
 */
Datum
topgun_repair_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TgDifference *differences = palloc(TG_MAX_DIFFERENCES * sizeof(TgDifference));
	int			n = tg_node_id() != 0 ? tg_difference_list(differences) : 0;
	TimestampTz now = GetCurrentTimestamp();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		TgDifference *d = &differences[i];
		bool		nulls[MAX_COLUMNS] = {false, false, d->compared == 0, d->compared == 0,
		d->since == 0, d->compared == 0};
		Datum		values[MAX_COLUMNS] = {
			Int32GetDatum(d->table),
			Int32GetDatum(d->peer),
			CStringGetTextDatum(psprintf("%016llx", (unsigned long long) d->root)),
			Int32GetDatum(d->leaves),
			Float8GetDatum((now - d->since) / 1000.0),
			TimestampTzGetDatum(d->compared),
			Int64GetDatum(d->rows_repaired),
			Int64GetDatum(d->bytes)
		};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	PG_RETURN_VOID();
}
