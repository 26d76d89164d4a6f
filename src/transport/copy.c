/*-------------------------------------------------------------------------
 *
 * src/transport/copy.c
 *	  Copying a whole table from a peer, chunk by chunk: both ends.
 *
 * Chunks come in key order, each with a snapshot of its own: whatever changes
 * after the first one is in the peer's journal and is pulled from there, and
 * merging a version twice is harmless.  Where to go on is the phase and the
 * last key of the chunk before:
 *
 *	R	rows in the order of the primary key, after the truncation if there
 *		was one
 *	T	tombstones in the order of their hashes, which is that of an index
 *	Q	versions that wait in the peer's quarantine, in the order of their bytes,
 *		but for those that may have been deleted
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/error.h"
#include "base/function.h"
#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "catalog/pg_type.h"
#include "clock/epoch.h"
#include "clock/identity.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "journal/append.h"
#include "nodes/params.h"
#include "row/key_order.h"
#include "row/stamp.h"
#include "row/truncation.h"
#include "tcop/dest.h"
#include "transport/copy.h"
#include "transport/gate.h"
#include "transport/merge_answer.h"
#include "transport/section.h"
#include "transport/state.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define PHASE_ROWS			'R'
#define PHASE_TOMBSTONES	'T'
#define PHASE_QUARANTINE	'Q'

#define CHUNK_BYTES			(4 * 1024 * 1024)
#define CHUNK_TIMEOUT_MS	(10 * 60 * 1000)

/* What is read for a chunk goes in here, row by row. */
typedef struct Chunk
{
	DestReceiver receiver;		/* must be first */
	TgSections	sections;
	Size		max_bytes;		/* exceeded by less than one row */
	MemoryContext scratch;		/* reset for each row */
	TupleTableSlot *row;		/* of the table, if whole rows are read */
	void		(*add) (struct Chunk *chunk, TupleTableSlot *result);
} Chunk;

static bool
is_full(const Chunk *chunk)
{
	return tg_sections_bytes(&chunk->sections) >= chunk->max_bytes;
}

/*
 * Take a row of a query's result.  False ends the query.
 */
static bool
receive(TupleTableSlot *result, DestReceiver *self)
{
	Chunk	   *chunk = (Chunk *) self;
	MemoryContext old = MemoryContextSwitchTo(chunk->scratch);

	chunk->add(chunk, result);
	MemoryContextSwitchTo(old);
	MemoryContextReset(chunk->scratch);
	return !is_full(chunk);
}

/* The parameters of a query; none of them is NULL. */
typedef struct QueryParams
{
	int			n;
	Oid			types[INDEX_MAX_KEYS];
	Datum		values[INDEX_MAX_KEYS];
} QueryParams;

static void
run_query(Chunk *chunk, const char *query, QueryParams *params)
{
	SPIPlanPtr	plan = SPI_prepare(query, params->n, params->types);
	SPIExecuteOptions options = {
		.params = makeParamList(params->n),
		.read_only = true,
		.dest = &chunk->receiver
	};

	for (int i = 0; i < params->n; i++)
		options.params->params[i] = (ParamExternData)
	{
		.value = params->values[i],
			.pflags = PARAM_FLAG_CONST,
			.ptype = params->types[i]
	};
	if (plan == NULL || SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not read the table to copy");
	SPI_freeplan(plan);
}

static void
add_row(Chunk *chunk, TupleTableSlot *result)
{
	bool		isnull;
	HeapTupleHeader header = DatumGetHeapTupleHeader(slot_getattr(result, 1, &isnull));
	HeapTupleData tuple = {
		.t_len = HeapTupleHeaderGetDatumLength(header),
		.t_data = header
	};

	ItemPointerSetInvalid(&tuple.t_self);
	ExecForceStoreHeapTuple(&tuple, chunk->row, false);
	tg_section_add_row(&chunk->sections, chunk->sections.target->table, chunk->row);
	ExecClearTuple(chunk->row);
}

/*
 * Have queries read along an index: a sort would read all rows of the table
 * for each chunk.  Until tg_sql_end().
 */
static void
avoid_sorts(void)
{
	static const char *const settings[][2] = {
		{"enable_sort", "off"},
		{"enable_incremental_sort", "off"},
		{"max_parallel_workers_per_gather", "0"},
		{"jit", "off"}
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Rows after a key (a, b): first those with the same a and a greater b, then
 * those with a greater a.
 */
static void
add_rows(Chunk *chunk, TgBytes after_key)
{
	TgTarget   *target = chunk->sections.target;
	TgKeySpec  *key = target->table->key;
	QueryParams params = {.n = 0};

	avoid_sorts();
	chunk->add = add_row;
	chunk->row = MakeSingleTupleTableSlot(RelationGetDescr(target->rel), &TTSOpsHeapTuple);
	for (int i = 0; i < key->ncolumns; i++)
		params.types[i] = key->columns[i].value.type;
	if (after_key.len > 0)
	{
		tg_key_read(key, after_key, params.values);
		params.n = key->ncolumns;
	}
	do
		run_query(chunk, tg_key_order_query(target->rel, target->table, params.n), &params);
	while (--params.n > 0 && !is_full(chunk));
	ExecDropSingleTupleTableSlot(chunk->row);
}

static void
add_truncation(Chunk *chunk)
{
	TgStamp		stamp = tg_truncation_find(chunk->sections.target->table->id);

	if (stamp != TG_NO_STAMP)
		tg_section_add(&chunk->sections, TG_CHANGE_TRUNCATE, stamp, tg_bytes(NULL, 0));
}

/*
 * Add a change: its stamp, whether it is a deletion, its payload.  What is not
 * a row of the table, since its columns have changed, is of no use anywhere.
 */
static void
add_change(Chunk *chunk, TupleTableSlot *result)
{
	bool		isnull;
	Datum		stamp = slot_getattr(result, 1, &isnull);
	TgStamp		known = isnull ? TG_NO_STAMP : DatumGetTgStamp(stamp);
	bool		deleted = DatumGetBool(slot_getattr(result, 2, &isnull));
	bytea	   *bytes = DatumGetByteaPP(slot_getattr(result, 3, &isnull));
	TgBytes		payload = tg_bytes_of_varlena(bytes);
	StringInfoData key;

	initStringInfo(&key);
	if (deleted)
		tg_section_add(&chunk->sections, TG_CHANGE_DELETE, known, payload);
	else if (tg_row_key(chunk->sections.target->table, payload, &key))
		tg_section_add(&chunk->sections, TG_CHANGE_ROW, known, payload);
}

static Datum
bytea_of(TgBytes bytes)
{
	return PointerGetDatum(cstring_to_text_with_len(bytes.data, bytes.len));
}

static Oid
stamp_type(void)
{
	return get_func_rettype(tg_function_oid(TG_FN_CURRENT_STAMP));
}

/*
 * A key may have two tombstones, the newer one counts.  The limit tells the
 * planner that a chunk is not all there is.
 */
static void
add_tombstones(Chunk *chunk, TgBytes after_key, TgStamp newer_than)
{
	TgTable    *table = chunk->sections.target->table;
	int32		hash = PG_INT32_MIN;
	QueryParams params = {.n = 4,.types = {INT4OID, INT4OID, BYTEAOID, stamp_type()}};

	if (after_key.len > 0)
		hash = (int32) tg_key_hash(table->key, after_key);
	params.values[0] = Int32GetDatum(table->id);
	params.values[1] = Int32GetDatum(hash);
	params.values[2] = bytea_of(after_key);
	params.values[3] = TgStampGetDatum(newer_than);
	chunk->add = add_change;
	run_query(chunk, "SELECT topgun.max(stamp), true, key FROM topgun.tombstone "
			  "WHERE table_id = $1 AND key_hash >= $2 AND (key_hash > $2 OR key > $3) "
			  "AND stamp OPERATOR(topgun.>) $4 "
			  "GROUP BY key_hash, key ORDER BY key_hash, key LIMIT 50000", &params);
}

static void
add_quarantine(Chunk *chunk, TgBytes after_key)
{
	TgTable    *table = chunk->sections.target->table;
	QueryParams params = {.n = 3,.types = {INT4OID, BYTEAOID, INT8OID}};

	params.values[0] = Int32GetDatum(table->id);
	params.values[1] = bytea_of(after_key);
	params.values[2] = Int64GetDatum((int64) table->fingerprint);
	chunk->add = add_change;

	/*
	 * A row that came with other columns cannot be read as one of these.  One
	 * in doubt, TG010, would be merged without any.
	 */
	run_query(chunk, "SELECT stamp, deleted, payload FROM topgun.quarantine "
			  "WHERE table_id = $1 AND key > $2 AND octet_length(payload) > 0 "
			  "AND (deleted OR fingerprint = $3) AND sqlstate <> 'TG010' ORDER BY key", &params);
}

static void
add_phase(Chunk *chunk, const TgCopyRequest *request)
{
	char		phase = request->has_after ? request->after.data[0] : PHASE_ROWS;
	TgBytes		key = {NULL, 0};

	if (request->has_after)
		key = tg_bytes(request->after.data + 1, request->after.len - 1);
	else
		add_truncation(chunk);
	if (phase == PHASE_ROWS)
		add_rows(chunk, key);
	else if (phase == PHASE_TOMBSTONES)
		add_tombstones(chunk, key, request->newer_than);
	else if (phase == PHASE_QUARANTINE)
		add_quarantine(chunk, key);
	else
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken request to copy a table")));
}

/*
 * Answer a request for a chunk, in the current memory context.  Locks the
 * table with ACCESS SHARE.
 */
StringInfo
tg_answer_copy(const TgCopyRequest *request)
{
	Chunk	   *chunk = palloc0(sizeof(Chunk));
	TgSqlSession session;
	TgAnswerHead head = {
		.sender = tg_speaker_to(&request->asker),
		.complete = true,
		.vector = tg_vector_create()
	};

	chunk->receiver = *None_Receiver;
	chunk->receiver.receiveSlot = receive;
	chunk->max_bytes = Min(request->max_bytes, CHUNK_BYTES);
	chunk->scratch = AllocSetContextCreate(CurrentMemoryContext, "topgun copied row",
										   ALLOCSET_DEFAULT_SIZES);
	tg_sections_init(&chunk->sections, &head);

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	if (!tg_section_begin(&chunk->sections, request->table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %d is not replicated on node %d", request->table, head.sender.node)));
	add_phase(chunk, request);
	tg_section_end(&chunk->sections);
	tg_sql_end(&session);
	return tg_sections_finish(&chunk->sections, &head);
}

/*
 * Is this what a request for a chunk is answered with?
 */
static void
require_chunk(const TgAnswer *answer, TgTableId table)
{
	const TgSection *section = &answer->sections[0];

	if (answer->head.ntables == 0)
		return;
	if (answer->head.ntables == 1 && section->head.table == table && section->head.nchanges > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TG_PROTOCOL),
			 errmsg("broken chunk of table %d from node %d", table, answer->head.sender.node)));
}

/*
 * Can a chunk be merged as things stand?  Not if the table has been paused
 * because it looks different there, or is gone.
 */
static bool
can_go_on(TgTableId table)
{
	TgTableState state;

	return tg_table_state_get(table, &state) &&
		(state.status == TG_TABLE_COPYING || state.status == TG_TABLE_SYNCED);
}

/*
 * Append the key of the last change of a section.  Its values may be such as
 * cannot be read here, so they stay bytes.
 */
static bool
append_last_key(const TgSection *section, StringInfo after)
{
	const TgChange *last = &section->changes[section->head.nchanges - 1];
	Relation	rel;
	bool		sound;

	if (last->kind == TG_CHANGE_DELETE)
	{
		appendBinaryStringInfo(after, last->payload.data, last->payload.len);
		return true;
	}
	rel = try_relation_open(tg_table_relid(section->head.table), AccessShareLock);
	if (rel == NULL)
		return false;
	sound = tg_table_get(rel)->fingerprint == section->head.fingerprint &&
		tg_row_key(tg_table_get(rel), last->payload, after);
	relation_close(rel, NoLock);
	return sound;
}

static bool
is_same(TgBytes a, TgBytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/*
 * Where the chunk after the one at "at" begins: behind its last key, or with
 * the next phase.  False if there is none.
 */
static bool
next_start(const TgAnswer *answer, TgBytes at, StringInfo next)
{
	char		phase = at.len > 0 ? at.data[0] : PHASE_ROWS;
	const TgSection *section = &answer->sections[0];

	if (answer->head.ntables > 0 &&
		section->changes[section->head.nchanges - 1].kind != TG_CHANGE_TRUNCATE)
	{
		appendStringInfoChar(next, phase);
		/* what waits may have been given other bytes for its key: no loops */
		return append_last_key(section, next) && !is_same(tg_bytes_of_buf(next), at);
	}
	if (phase == PHASE_QUARANTINE)
		return false;
	appendStringInfoChar(next, phase == PHASE_ROWS ? PHASE_TOMBSTONES : PHASE_QUARANTINE);
	return true;
}

static TgBytes
ask_for_chunk(TgLink *link, TgTableId table, const TgCopyPlace *place)
{
	TgCopyRequest request = {
		.asker = tg_speaker_self(),
		.table = table,
		.has_after = place->after.len > 0,
		.after = place->after,
		.newer_than = place->newer_than,
		.max_bytes = CHUNK_BYTES
	};
	StringInfoData buf;
	TgLinkParam param = {.is_binary = true};

	initStringInfo(&buf);
	tg_wire_write_copy(&buf, &request);
	param.data = buf.data;
	param.len = buf.len;
	tg_link_send(link, "SELECT topgun_internal.copy($1)", 1, &param);
	return tg_link_receive(link, CHUNK_TIMEOUT_MS);
}

/*
 * The place behind the last row of a table, where the tombstones begin; only
 * those that are newer than the stamp.
 */
void
tg_copy_skip_rows(TgCopyPlace *place, TgStamp newer_than)
{
	static const char phase = PHASE_TOMBSTONES;

	place->after = tg_bytes(&phase, 1);
	place->newer_than = newer_than;
}

/*
 * Copy the next chunk of a table, in the caller's transaction.  "place" is
 * where it begins, and is moved to where the next begins, in the current
 * memory context.  False if this was the last one, or if the table has been
 * paused.
 */
bool
tg_copy_chunk(TgLink *link, TgNodeId peer, TgTableId table, TgCopyPlace *place)
{
	TgAnswer	answer;
	TgMerge		merge;
	StringInfoData next;
	bool		more;

	tg_answer_read(ask_for_chunk(link, table, place), &answer);
	require_chunk(&answer, table);
	initStringInfo(&next);
	tg_answer_observe(&answer);
	tg_merge_begin(&merge, peer, NULL);
	tg_journal_set_source(peer, NULL);
	merge.source = TG_MERGE_COPY;
	merge.doubt = TG_DOUBT_NEVER;
	tg_answer_merge(&answer, &merge);
	more = can_go_on(table) && next_start(&answer, place->after, &next);
	tg_merge_end(&merge);

	place->after = tg_bytes_of_buf(&next);
	return more;
}
