/*-------------------------------------------------------------------------
 *
 * src/journal/fate.c
 *	  Does a transaction leave a key alive or deleted?  Pure.
 *
 * The order in which AFTER triggers fire says nothing, so the answer must be
 * the same for every order of a key's entries.  A row that came and went
 * within the transaction is named twice, as new and as old: an exclusive or
 * of all stamps cancels it.  What is left is the stamp of the row that was
 * there before, if any, and of the row that is there now, if any.
 *
 *	more went than came			the row from before is gone
 *	more came than went			there was none, now there is
 *	as many came as went		either both are left, or neither is
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "journal/fate.h"

/*
 * Take one more entry of the key into account, in any order.
 */
void
tg_fate_add(TgFate *fate, const TgEntry *entry)
{
	switch (entry->op)
	{
		case TG_OP_INSERT:
			fate->balance++;
			fate->trace ^= entry->new_stamp;
			fate->written = Max(fate->written, entry->new_stamp);
			break;
		case TG_OP_UPDATE:
			fate->trace ^= entry->old_stamp ^ entry->new_stamp;
			fate->written = Max(fate->written, entry->new_stamp);
			break;
		case TG_OP_DELETE:
			if (entry->had_row)
			{
				fate->balance--;
				fate->trace ^= entry->old_stamp;
			}
			fate->deleted = Max(fate->deleted, entry->new_stamp);
			break;
		case TG_OP_TRUNCATE:
		case TG_OP_ANNOUNCE:
		case TG_OP_BEGIN:
			break;
	}
}

/*
 * All entries are in: was the key deleted for good?
 */
bool
tg_fate_is_deleted(const TgFate *fate)
{
	if (fate->deleted == TG_NO_STAMP)
		return false;
	if (fate->deleted == fate->written)
		return false;			/* one version, taken out and put in again */
	return fate->balance < 0 || (fate->balance == 0 && fate->trace == 0);
}
