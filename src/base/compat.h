/*-------------------------------------------------------------------------
 *
 * src/base/compat.h
 *	  The differences between PostgreSQL 15, 16, 17 and 18.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_COMPAT_H
#define TG_BASE_COMPAT_H

#include "access/tableam.h"
#include "executor/executor.h"
#include "parser/parse_relation.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/wait_event.h"

/* Since 16 postgres.h leaves out what is inside of a varlena. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* The number of a backend in arrays sized by TG_MAX_PROCS. */
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#define TG_MY_PROC_NUMBER		MyProcNumber
#else
#define TG_MY_PROC_NUMBER		(MyProc->pgprocno)
#endif
#define TG_MAX_PROCS			(MaxBackends + NUM_AUXILIARY_PROCS)

/* Since 16 an update says which indexes need new entries, not only whether. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes TgUpdateIndexes;
#define tg_update_needs_indexes(u)	((u) != TU_None)
#define tg_update_only_brin(u)		((u) == TU_Summarizing)
#define TgExecInsertIndexTuples(rri, slot, estate, update, nodup, conflict, arbiters, only_brin) \
	ExecInsertIndexTuples(rri, slot, estate, update, nodup, conflict, arbiters, only_brin)
#define tg_root_to_child_map(rri, estate)	ExecGetRootToChildMap(rri, estate)
#else
typedef bool TgUpdateIndexes;
#define tg_update_needs_indexes(u)	(u)
#define tg_update_only_brin(u)		false
#define TgExecInsertIndexTuples(rri, slot, estate, update, nodup, conflict, arbiters, only_brin) \
	ExecInsertIndexTuples(rri, slot, estate, update, nodup, conflict, arbiters)
#define tg_root_to_child_map(rri, estate)	((rri)->ri_RootToPartitionMap)
#endif

/* 16 renamed the ownership checks. */
#if PG_VERSION_NUM >= 160000
#define tg_owns_relation(relid, role)	object_ownercheck(RelationRelationId, relid, role)
#else
#define tg_owns_relation(relid, role)	pg_class_ownercheck(relid, role)
#endif

/* Since 16 the caller says whether the datum is to be copied; here always. */
#if PG_VERSION_NUM >= 160000
#define tg_tuplesort_getdatum(state, value, isnull) \
	tuplesort_getdatum(state, true, true, value, isnull, NULL)
#else
#define tg_tuplesort_getdatum(state, value, isnull) \
	tuplesort_getdatum(state, true, value, isnull, NULL)
#endif

/* Since 16 permissions travel apart from the range table. */
static inline void
tg_init_range_table(EState *estate, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	List	   *perminfos = NIL;

	addRTEPermissionInfo(&perminfos, rte);
#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, list_make1(rte), perminfos, bms_make_singleton(1));
#else
	ExecInitRangeTable(estate, list_make1(rte), perminfos);
#endif
#else
	ExecInitRangeTable(estate, list_make1(rte));
#endif
}

/* 18 has this word of C11. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn				pg_attribute_noreturn()
#endif

/* 18 counts index searches. */
#if PG_VERSION_NUM >= 180000
#define tg_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#define tg_check_index_constraints(rri, slot, estate, conflict, arbiters) \
	ExecCheckIndexConstraints(rri, slot, estate, conflict, &(slot)->tts_tid, arbiters)
#else
#define tg_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#define tg_check_index_constraints(rri, slot, estate, conflict, arbiters) \
	ExecCheckIndexConstraints(rri, slot, estate, conflict, arbiters)
#endif

/* 18 leaves room before a minimal tuple for who asks. */
#if PG_VERSION_NUM >= 180000
#define tg_form_minimal_tuple(desc, values, nulls) \
	heap_form_minimal_tuple(desc, values, nulls, 0)
#else
#define tg_form_minimal_tuple(desc, values, nulls) \
	heap_form_minimal_tuple(desc, values, nulls)
#endif

/* Since 17 an extension can name what it waits for. */
#if PG_VERSION_NUM >= 170000
#define tg_new_wait_event(name)	WaitEventExtensionNew(name)
#else
#define tg_new_wait_event(name)	((void) (name), PG_WAIT_EXTENSION)
#endif

/* Since 17 a set belongs to a resource owner, or to nobody. */
#if PG_VERSION_NUM >= 170000
#define tg_create_wait_set(nevents)	CreateWaitEventSet(NULL, nevents)
#else
#define tg_create_wait_set(nevents)	CreateWaitEventSet(CurrentMemoryContext, nevents)
#endif

#endif							/* TG_BASE_COMPAT_H */
