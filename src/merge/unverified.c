/*-------------------------------------------------------------------------
 *
 * src/merge/unverified.c
 *	  Merged deletions that an older local write may still come after.
 *
 * A local transaction takes the stamp of a row before it inserts it.  If the
 * deletion of that key, with a later stamp, is merged in between, the row
 * comes to stand beside a newer tombstone.  So as long as a local transaction
 * with an older stamp is in flight, the deletion is noted in
 * topgun.unverified, and merged once more when those have ended.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "base/catalog.h"
#include "journal/inflight.h"
#include "merge/unverified.h"
#include "row/stamp.h"
#include "utils/builtins.h"
#include "utils/rel.h"

/*
 * A deletion has been merged: note it if an older local write may follow.
 */
void
tg_unverified_note(TgTableId table, const TgChange *deletion)
{
	Relation	rel;
	Datum		values[TG_UNVERIFIED_COLUMNS];
	bool		nulls[TG_UNVERIFIED_COLUMNS] = {0};

	if (!tg_inflight_older_writer(deletion->stamp))
		return;

	values[TG_UNVERIFIED_STAMP - 1] = TgStampGetDatum(deletion->stamp);
	values[TG_UNVERIFIED_TABLE - 1] = Int32GetDatum(table);
	values[TG_UNVERIFIED_KEY - 1] =
		PointerGetDatum(cstring_to_text_with_len(deletion->payload.data, deletion->payload.len));
	rel = table_open(tg_catalog_oid(TG_CAT_UNVERIFIED), RowExclusiveLock);
	tg_catalog_insert(rel, values, nulls);
	table_close(rel, RowExclusiveLock);
}
