/*-------------------------------------------------------------------------
 *
 * src/capture/attach.c
 *	  What makes a table a replicated one: column, default and triggers.
 *
 * The column is added without a default first: rows that are there keep NULL,
 * older than everything.  Row triggers reach partitions by themselves, also
 * those added later; statement triggers do not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "base/compat.h"
#include "base/function.h"
#include "base/sql.h"
#include "capture/attach.h"
#include "capture/attach_check.h"
#include "catalog/pg_authid_d.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/tablecmds.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "row/table.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define TRIGGER_CAPTURE		"topgun_capture"
#define TRIGGER_TRUNCATE	"topgun_truncate"
#define TRIGGER_STAMP		"topgun_stamp_row"

static void
require_owner(Oid relid)
{
	if (!tg_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

/*
 * Open a table that the user owns.  It is locked only if he does, and looked
 * at again under the lock.
 */
static Relation
open_own_table(Oid relid)
{
	Relation	rel;

	if (!OidIsValid(relid) || get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	require_owner(relid);
	rel = relation_open(relid, AccessExclusiveLock);
	require_owner(relid);
	tg_attach_require_whole_table(rel);
	return rel;
}

/*
 * Replicated tables and their partitions, without those in between.
 */
static List *
leaves_of(Oid relid)
{
	List	   *leaves = NIL;
	ListCell   *cell;

	foreach(cell, find_all_inheritors(relid, AccessExclusiveLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			leaves = lappend_oid(leaves, lfirst_oid(cell));
	}
	return leaves;
}

static bool
has_truncate_trigger(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	TriggerDesc *triggers = rel->trigdesc;
	bool		found = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgfoid == tg_function_oid(TG_FN_TRUNCATE))
			found = true;
	table_close(rel, NoLock);
	return found;
}

/*
 * Create a trigger that fires for replicas, too.
 */
static void
create_trigger(const char *table, const char *name, const char *event, const char *function)
{
	tg_sql_run("CREATE TRIGGER %s %s EXECUTE FUNCTION topgun_internal.%s",
			   name, psprintf(event, table), function);
	tg_sql_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name);
}

static void
create_truncate_trigger(Oid relid)
{
	if (has_truncate_trigger(relid))
		return;
	create_trigger(tg_sql_name(relid), TRIGGER_TRUNCATE,
				   "BEFORE TRUNCATE ON %s FOR EACH STATEMENT", "capture_truncate()");
}

static void
create_triggers(Oid relid, TgTableId id, bool stamping_by_trigger)
{
	const char *table = tg_sql_name(relid);
	ListCell   *cell;

	create_trigger(table, TRIGGER_CAPTURE,
				   "AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW",
				   psprintf("capture('%d')", id));
	if (stamping_by_trigger)
		create_trigger(table, TRIGGER_STAMP,
					   "BEFORE INSERT OR UPDATE ON %s FOR EACH ROW", "stamp_row()");
	create_truncate_trigger(relid);
	foreach(cell, leaves_of(relid))
		create_truncate_trigger(lfirst_oid(cell));
}

static void
drop_triggers(Oid relid)
{
	const char *table = tg_sql_name(relid);
	ListCell   *cell;

	foreach(cell, leaves_of(relid))
		tg_sql_run("DROP TRIGGER IF EXISTS %s ON %s", TRIGGER_TRUNCATE,
				   tg_sql_name(lfirst_oid(cell)));
	tg_sql_run("DROP TRIGGER IF EXISTS %s ON %s", TRIGGER_TRUNCATE, table);
	tg_sql_run("DROP TRIGGER IF EXISTS %s ON %s", TRIGGER_STAMP, table);
	tg_sql_run("DROP TRIGGER IF EXISTS %s ON %s", TRIGGER_CAPTURE, table);
}

/*
 * Errors out if this node replicates the table already.  One that comes from a
 * dump has the triggers that it had there, under an id that means nothing
 * here.
 */
static void
require_not_replicated(Relation rel)
{
	TgTableId	id = tg_table_id(rel);

	if (id != 0 && tg_table_relid(id) == RelationGetRelid(rel))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table \"%s\" is already replicated", RelationGetRelationName(rel)),
				 errhint("Use topgun.remove_table() first.")));
}

/*
 * Make a table of the current user a replicated one, under an id that no other
 * table has had.  Errors out with a hint if it cannot be replicated; then
 * nothing has changed.  The lock, ACCESS EXCLUSIVE, stays.
 */
void
tg_table_attach(Oid relid, TgTableId id, bool stamping_by_trigger)
{
	Relation	rel = open_own_table(relid);
	bool		has_column = tg_attach_has_stamp_column(rel);
	const char *table = tg_sql_name(relid);
	TgSqlSession session;

	Assert(id > 0);

	require_not_replicated(rel);
	if (id >= TG_FIRST_USER_TABLE)
		tg_attach_require_suitable(rel);
	CheckTableNotInUse(rel, "topgun.add_table");
	relation_close(rel, NoLock);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	drop_triggers(relid);
	if (!has_column)
		tg_sql_run("ALTER TABLE %s ADD COLUMN %s topgun.stamp", table, TG_STAMP_COLUMN);
	tg_sql_run("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT topgun.current_stamp()",
			   table, TG_STAMP_COLUMN);
	create_triggers(relid, id, stamping_by_trigger);
	tg_sql_end(&session);
}

/*
 * Make a replicated table of the current user what it was before.
 */
void
tg_table_detach(Oid relid)
{
	Relation	rel = open_own_table(relid);
	const char *table = tg_sql_name(relid);
	TgSqlSession session;

	if (tg_table_id(rel) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not replicated", RelationGetRelationName(rel)),
				 errhint("See topgun.stat_table for the tables that are.")));
	CheckTableNotInUse(rel, "topgun.remove_table");
	relation_close(rel, NoLock);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	drop_triggers(relid);
	tg_sql_run("ALTER TABLE %s DROP COLUMN %s", table, TG_STAMP_COLUMN);
	tg_sql_end(&session);
}

/*
 * A table of the current user is about to become a partition of a replicated
 * table: give it the column that it needs for that.
 */
void
tg_partition_prepare(Oid root, Oid partition)
{
	Relation	rel = table_open(root, AccessShareLock);
	bool		is_replicated = tg_table_id(rel) != 0;
	TgSqlSession session;

	table_close(rel, AccessShareLock);
	if (!is_replicated || !tg_owns_relation(partition, GetUserId()) ||
		get_attnum(partition, TG_STAMP_COLUMN) != InvalidAttrNumber)
		return;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	tg_sql_run("ALTER TABLE %s ADD COLUMN %s topgun.stamp",
			   tg_sql_name(partition), TG_STAMP_COLUMN);
	tg_sql_run("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT topgun.current_stamp()",
			   tg_sql_name(partition), TG_STAMP_COLUMN);
	tg_sql_end(&session);
}

/*
 * A table has become a partition, perhaps of a replicated table: give it, and
 * its own partitions, the trigger that they have not inherited.
 */
void
tg_partition_attach(Oid partition)
{
	TgSqlSession session;
	ListCell   *cell;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	foreach(cell, leaves_of(partition))
		create_truncate_trigger(lfirst_oid(cell));
	tg_sql_end(&session);
}
