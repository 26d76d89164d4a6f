/*-------------------------------------------------------------------------
 *
 * src/transport/version.c
 *	  The newest version of a key that this node has.
 *
 * It is the row, the tombstone or what waits in quarantine, the newest of
 * them.  For a while a row can stand beside a newer tombstone, see
 * merge/unverified.c, or for longer if somebody has put it there past the
 * triggers: then it is as good as deleted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "merge/quarantine.h"
#include "row/tombstone.h"
#include "row/walk.h"
#include "transport/version.h"

static void
find_in_table(TgTarget *target, TgBytes key, TgStamp deletion, Snapshot snapshot, TgVersion *version)
{
	TgLeaf	   *leaf;
	TgStamp		deleted;

	tg_target_set_key(target, key);
	leaf = tg_target_try_route(target);
	if (leaf != NULL && tg_leaf_walk_to(leaf, snapshot))
	{
		version->leaf = leaf;
		version->kind = TG_VERSION_ROW;
		version->stamp = tg_slot_stamp(leaf->table, leaf->found);
		if (!tg_tombstone_may_exceed(version->stamp))
			return;
	}
	deleted = version->kind == TG_VERSION_NONE ? deletion : TG_NO_STAMP;
	if (deleted == TG_NO_STAMP)
		deleted = tg_tombstone_find(target->table, key, snapshot);
	if (deleted != TG_NO_STAMP && deleted >= version->stamp)
	{
		version->kind = TG_VERSION_DELETED;
		version->stamp = deleted;
	}
}

/*
 * Find the newest version of a key, as the snapshot sees it.  What is found of
 * a row lies in a slot of its leaf until the next look-up, the rest in the
 * current memory context.
 */
void
tg_version_find(TgTarget *target, TgBytes key, Snapshot snapshot, TgVersion *version)
{
	tg_version_find_after(target, key, TG_NO_STAMP, snapshot, version);
}

/*
 * The same if a deletion of the key is known, or TG_NO_STAMP: without a row no
 * tombstone is looked up, though it may be newer than that.
 */
void
tg_version_find_after(TgTarget *target, TgBytes key, TgStamp deletion, Snapshot snapshot,
					  TgVersion *version)
{
	memset(version, 0, sizeof(*version));
	find_in_table(target, key, deletion, snapshot, version);
	if (!tg_quarantine_find(target->table->id, key, snapshot, &version->waiting))
		return;
	if (version->kind != TG_VERSION_NONE && version->waiting.stamp <= version->stamp)
		return;
	version->is_waiting = true;
	version->is_doubtful = tg_quarantine_is_doubtful(target->table->id, key, snapshot);
	version->stamp = version->waiting.stamp;
	version->kind = version->waiting.kind == TG_CHANGE_ROW ? TG_VERSION_ROW : TG_VERSION_DELETED;
}

/*
 * Which of two versions of a key is newer: the first if positive, the second
 * if negative.  At equal stamps the tombstone is.
 */
int
tg_version_compare(TgVersionKind a_kind, TgStamp a, TgVersionKind b_kind, TgStamp b)
{
	if (a_kind == TG_VERSION_NONE || b_kind == TG_VERSION_NONE || a == b)
		return (int) a_kind - (int) b_kind;
	return a > b ? 1 : -1;
}

/*
 * Add a version to the open section of an answer.  False if there is nothing
 * that could be sent.
 */
bool
tg_version_send(TgSections *sections, const TgVersion *version, TgBytes key)
{
	if (version->is_waiting)
	{
		if (version->waiting.payload.data == NULL)
			return false;
		tg_section_add(sections, version->waiting.kind, version->stamp, version->waiting.payload);
		return true;
	}
	if (version->kind == TG_VERSION_ROW)
		tg_section_add_row(sections, version->leaf->table, version->leaf->found);
	else if (version->kind == TG_VERSION_DELETED)
		tg_section_add(sections, TG_CHANGE_DELETE, version->stamp, key);
	return version->kind != TG_VERSION_NONE;
}
