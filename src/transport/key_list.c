/*-------------------------------------------------------------------------
 *
 * src/transport/key_list.c
 *	  Keys that two nodes do not have alike, kept for later.
 *
 * The list goes to disk if it is larger than work_mem.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "transport/key_list.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

enum
{
	LIST_KEY = 1, LIST_OURS_EXISTS, LIST_OUR_STAMP, LIST_OUR_DIGEST,
	LIST_THEIRS_EXISTS, LIST_THEIR_STAMP, LIST_THEIR_DIGEST, LIST_COLUMNS = LIST_THEIR_DIGEST
};

struct TgKeyList
{
	TupleDesc	desc;
	Tuplestorestate *store;
	TupleTableSlot *slot;		/* what was read last */
	MemoryContext context;
};

/*
 * Types that need no look-up, so no transaction; bytes are kept as text is.
 */
static TupleDesc
describe_pair(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(LIST_COLUMNS);

	TupleDescInitBuiltinEntry(desc, LIST_KEY, "key", TEXTOID, -1, 0);
	TupleDescInitBuiltinEntry(desc, LIST_OURS_EXISTS, "ours_exists", BOOLOID, -1, 0);
	TupleDescInitBuiltinEntry(desc, LIST_OUR_STAMP, "our_stamp", INT8OID, -1, 0);
	TupleDescInitBuiltinEntry(desc, LIST_OUR_DIGEST, "our_digest", INT8OID, -1, 0);
	TupleDescInitBuiltinEntry(desc, LIST_THEIRS_EXISTS, "theirs_exists", BOOLOID, -1, 0);
	TupleDescInitBuiltinEntry(desc, LIST_THEIR_STAMP, "their_stamp", INT8OID, -1, 0);
	TupleDescInitBuiltinEntry(desc, LIST_THEIR_DIGEST, "their_digest", INT8OID, -1, 0);
	return desc;
}

/*
 * An empty list, in a child of the current memory context.  It can be made to
 * be read in other transactions than it was written in; then it must be freed
 * after errors, too.
 */
TgKeyList *
tg_key_list_create(bool outlives_transaction)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "topgun key list",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TgKeyList  *list = palloc0(sizeof(TgKeyList));

	list->context = context;
	list->desc = describe_pair();
	list->store = tuplestore_begin_heap(false, outlives_transaction, work_mem);
	list->slot = MakeSingleTupleTableSlot(list->desc, &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(old);
	return list;
}

/*
 * Add a pair at the end.
 */
void
tg_key_list_add(TgKeyList *list, const TgKeyPair *pair)
{
	bytea	   *key = cstring_to_text_with_len(pair->key.data, pair->key.len);
	bool		nulls[LIST_COLUMNS] = {0};
	Datum		values[LIST_COLUMNS] = {
		PointerGetDatum(key),
		BoolGetDatum(pair->ours.exists),
		Int64GetDatum((int64) pair->ours.stamp),
		Int64GetDatum((int64) pair->ours.digest),
		BoolGetDatum(pair->theirs.exists),
		Int64GetDatum((int64) pair->theirs.stamp),
		Int64GetDatum((int64) pair->theirs.digest)
	};

	tuplestore_putvalues(list->store, list->desc, values, nulls);
	pfree(key);
}

/*
 * Read the next pair; false if there is none.  Its key is valid until the next
 * call.
 */
bool
tg_key_list_next(TgKeyList *list, TgKeyPair *pair)
{
	MemoryContext old = MemoryContextSwitchTo(list->context);
	bool		found = tuplestore_gettupleslot(list->store, true, false, list->slot);
	Datum	   *values = list->slot->tts_values;

	MemoryContextSwitchTo(old);
	if (!found)
		return false;
	slot_getallattrs(list->slot);
	pair->key = tg_bytes_of_varlena(DatumGetPointer(values[LIST_KEY - 1]));
	pair->ours.exists = DatumGetBool(values[LIST_OURS_EXISTS - 1]);
	pair->ours.stamp = (TgStamp) DatumGetInt64(values[LIST_OUR_STAMP - 1]);
	pair->ours.digest = (uint64) DatumGetInt64(values[LIST_OUR_DIGEST - 1]);
	pair->theirs.exists = DatumGetBool(values[LIST_THEIRS_EXISTS - 1]);
	pair->theirs.stamp = (TgStamp) DatumGetInt64(values[LIST_THEIR_STAMP - 1]);
	pair->theirs.digest = (uint64) DatumGetInt64(values[LIST_THEIR_DIGEST - 1]);
	return true;
}

/*
 * The list is no longer needed.
 */
void
tg_key_list_free(TgKeyList *list)
{
	ExecDropSingleTupleTableSlot(list->slot);
	tuplestore_end(list->store);
	MemoryContextDelete(list->context);
}
