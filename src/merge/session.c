/*-------------------------------------------------------------------------
 *
 * src/merge/session.c
 *	  The surroundings of a merge: role, settings, and whom it merges from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "commands/trigger.h"
#include "journal/stamping.h"
#include "merge/session.h"
#include "merge/stat.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "row/truncation.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static void
set_for_merge(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Triggers that are deferred would fire at commit, as the user that commits.
 * Let them fire with each row, as the owner of the table.
 */
static void
fire_triggers_at_once(void)
{
	ConstraintsSetStmt *stmt = makeNode(ConstraintsSetStmt);

	stmt->deferred = false;
	AfterTriggerSetState(stmt);
}

/*
 * Begin to merge changes of a peer in this transaction, as a replica: the
 * triggers that the origin has fired do not fire again, and no fence holds up
 * what is merged.  Rows that may have been deleted here are in doubt unless
 * the caller sets "doubt" to something else, and a merge counts as a pull
 * unless he sets "source".
 * Mirrored by tg_merge_end(); an error takes the settings back by itself.
 */
void
tg_merge_begin(TgMerge *merge, TgNodeId peer, const TgVector *peer_vector)
{
	memset(merge, 0, sizeof(*merge));
	merge->peer = peer;
	merge->peer_vector = peer_vector;
	merge->scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun change",
										   ALLOCSET_DEFAULT_SIZES);
	merge->was_for_cluster = tg_write_for_cluster(true);
	merge->guc_nest = NewGUCNestLevel();
	set_for_merge("session_replication_role", "replica");
	set_for_merge("search_path", "pg_catalog, pg_temp");
	fire_triggers_at_once();
	PushActiveSnapshot(GetTransactionSnapshot());
}

/*
 * All changes are merged; they are counted when the transaction commits.
 */
void
tg_merge_end(TgMerge *merge)
{
	tg_merge_stat_note(merge->source, &merge->counts);
	PopActiveSnapshot();
	AtEOXact_GUC(true, merge->guc_nest);
	(void) tg_write_for_cluster(merge->was_for_cluster);
	MemoryContextDelete(merge->scratch);
}

/*
 * Open a table to merge into it, and become its owner.  NULL if the table is
 * not, or no longer, replicated here.  Mirrored by tg_merge_close_table().
 */
TgTarget *
tg_merge_open_table(TgTableId id, LOCKMODE lockmode)
{
	Oid			relid = tg_table_relid(id);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, lockmode) : NULL;
	TgTarget   *target;

	if (rel == NULL)
		return NULL;
	if (tg_table_id(rel) != id)
	{
		relation_close(rel, lockmode);
		return NULL;
	}

	target = tg_target_open(rel);
	target->truncation = tg_truncation_find(id);
	GetUserIdAndSecContext(&target->saved_user, &target->saved_sec_context);
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   target->saved_sec_context | SECURITY_RESTRICTED_OPERATION);
	return target;
}

/*
 * Become who we were, and close the table.  Its lock stays.
 */
void
tg_merge_close_table(TgTarget *target)
{
	Relation	rel = target->rel;

	SetUserIdAndSecContext(target->saved_user, target->saved_sec_context);
	tg_target_close(target);
	relation_close(rel, NoLock);
}
