/*-------------------------------------------------------------------------
 *
 * src/clock/epoch.c
 *	  The cluster epoch this node believes in, and whether it may write.
 *
 * Views and the detector decide; every writer asks.  The question is asked
 * once per captured row, so the answer is one atomic read: epoch and fences
 * share a word, and no reader can see the epoch of one decision with the
 * fences of another.
 *
 * Each database has a word of its own.  One that is 0 is not known yet, as
 * after a start: whoever asks first has it loaded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/database.h"
#include "base/error.h"
#include "base/guc.h"
#include "clock/epoch.h"
#include "port/atomics.h"
#include "portability/instr_time.h"
#include "storage/spin.h"

#define FENCE_BITS			3
#define FENCES				((UINT64CONST(1) << FENCE_BITS) - 1)
#define EPOCH_OF(word)		((word) >> FENCE_BITS)
#define FENCES_OF(word)		((word) & FENCES)
#define PACK(epoch, fences)	((epoch) << FENCE_BITS | (fences))

typedef struct EpochShared
{
	pg_atomic_uint64 words[TG_MAX_DATABASES];	/* lock free */
	pg_atomic_uint64 began_us[TG_MAX_DATABASES];	/* of the epoch, by the
													 * monotonic clock; 0: it
													 * was there at our start */
	slock_t		mutex;			/* of all below */
	TgEpochId	ids[TG_MAX_DATABASES];	/* may be a moment behind the words */
} EpochShared;

static EpochShared *shared = NULL;
static void (*load_epoch) (void) = NULL;

static pg_atomic_uint64 *
my_word(void)
{
	return &shared->words[tg_database_slot()];
}

static uint64
monotonic_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MICROSEC(now);
}

static uint64
read_word(void)
{
	uint64		word = pg_atomic_read_u64(my_word());

	if (likely(EPOCH_OF(word) != 0) || load_epoch == NULL || !IsTransactionState())
		return word;

	load_epoch();
	return pg_atomic_read_u64(my_word());
}

/*
 * The epoch we are in: monotonic for as long as the server runs.  If nothing
 * is known of it, that is the first one, and peers will tell us of others.
 */
TgEpoch
tg_epoch_current(void)
{
	return Max(EPOCH_OF(read_word()), TG_FIRST_EPOCH);
}

/*
 * The same with the id of its view, for what is said to peers.  Just after a
 * change it may still be the epoch before.
 */
TgEpochId
tg_epoch_id(void)
{
	TgEpochId	id;

	(void) read_word();
	SpinLockAcquire(&shared->mutex);
	id = shared->ids[tg_database_slot()];
	SpinLockRelease(&shared->mutex);
	id.epoch = Max(id.epoch, TG_FIRST_EPOCH);
	return id;
}

static void
set_id(TgEpochId id)
{
	TgEpochId  *ours = &shared->ids[tg_database_slot()];

	SpinLockAcquire(&shared->mutex);
	if (ours->epoch < id.epoch)
		*ours = id;
	SpinLockRelease(&shared->mutex);
}

/*
 * Is this fence up, whatever the settings make of it?
 */
bool
tg_epoch_has_fence(TgFence fence)
{
	return (read_word() & fence) != 0;
}

/*
 * Refuse a write because of the fences, as far as the settings say so.
 */
static void
refuse_write(uint64 fences)
{
	if ((fences & TG_FENCE_VIEW) && tg_fenced_writes == TG_WRITES_REJECT)
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("this node is fenced"),
				 errdetail("It is not in the current view of the cluster."),
				 errhint("Write on another node, or bring this one back with topgun.rejoin().")));
	if ((fences & TG_FENCE_MINORITY) && tg_minority_writes == TG_WRITES_REJECT)
		ereport(ERROR,
				(errcode(ERRCODE_TG_FENCED),
				 errmsg("this node does not hear of a majority of the cluster"),
				 errhint("Write on another node, or see topgun.stat_peer.")));
	if (fences & TG_FENCE_CLOCK)
		ereport(ERROR,
				(errcode(ERRCODE_TG_CLOCK_DRIFT),
				 errmsg("the clock of this node is too far ahead of a majority of the cluster"),
				 errdetail("It is more than topgun.max_clock_drift ahead."),
				 errhint("Correct the system clock of this server.")));
}

/*
 * Error out unless clients may write on this node.  Where nothing is known,
 * they may.
 */
void
tg_epoch_require_writable(void)
{
	uint64		fences = FENCES_OF(read_word());

	if (unlikely(fences != 0))
		refuse_write(fences);
}

/*
 * A later epoch always wins; within one epoch, the permission to write can only
 * be lost.  The other fences stay as they are.
 */
static void
advance_word(TgEpoch epoch, bool writable)
{
	pg_atomic_uint64 *word = my_word();
	uint64		old = pg_atomic_read_u64(word);

	Assert(epoch >= TG_FIRST_EPOCH);

	while (EPOCH_OF(old) < epoch || (EPOCH_OF(old) == epoch && !writable))
	{
		uint64		fences = FENCES_OF(old) & ~TG_FENCE_VIEW;

		if (!writable)
			fences |= TG_FENCE_VIEW;
		if (pg_atomic_compare_exchange_u64(word, &old, PACK(epoch, fences)))
		{
			if (EPOCH_OF(old) != 0 && EPOCH_OF(old) < epoch)
				pg_atomic_write_u64(&shared->began_us[tg_database_slot()], monotonic_us());
			break;
		}
	}
}

/*
 * Take over a decision about the view.  A delayed one cannot undo a newer one,
 * and a fence never waits for a new epoch.
 */
void
tg_epoch_advance(TgEpoch epoch, uint64 view_id, bool writable)
{
	TgEpochId	id = {epoch, view_id};

	advance_word(epoch, writable);
	set_id(id);
}

/*
 * Put up the fence of the view, if this is still our epoch.
 */
void
tg_epoch_fence(TgEpoch epoch)
{
	if (epoch == tg_epoch_current())
		advance_word(epoch, false);
}

/*
 * For how long this node has been in its epoch; PG_INT64_MAX if since before
 * the server started.  Just after a change it may still be the age of the
 * epoch before.
 */
int64
tg_epoch_age_ms(void)
{
	uint64		began_us = pg_atomic_read_u64(&shared->began_us[tg_database_slot()]);

	return began_us == 0 ? PG_INT64_MAX : (int64) (monotonic_us() - began_us) / 1000;
}

/*
 * Put up or take down one of the detector's fences.
 */
void
tg_epoch_set_fence(TgFence fence, bool is_up)
{
	Assert(fence == TG_FENCE_MINORITY || fence == TG_FENCE_CLOCK);

	if (is_up)
		pg_atomic_fetch_or_u64(my_word(), fence);
	else
		pg_atomic_fetch_and_u64(my_word(), ~(uint64) fence);
}

/*
 * This database is no node, whatever was known before.
 */
void
tg_epoch_forget(void)
{
	pg_atomic_write_u64(my_word(), 0);
	SpinLockAcquire(&shared->mutex);
	memset(&shared->ids[tg_database_slot()], 0, sizeof(TgEpochId));
	SpinLockRelease(&shared->mutex);
}

/*
 * Make known how the epoch is found after a start: load() runs in the
 * transaction of whoever asks first, and calls tg_epoch_advance() if this
 * database has a view.  Call once, from _PG_init().
 */
void
tg_epoch_install(void (*load) (void))
{
	load_epoch = load;
}

Size
tg_epoch_shmem_size(void)
{
	return sizeof(EpochShared);
}

void
tg_epoch_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared->ids, 0, sizeof(shared->ids));
	SpinLockInit(&shared->mutex);
	for (int i = 0; i < TG_MAX_DATABASES; i++)
	{
		pg_atomic_init_u64(&shared->words[i], 0);
		pg_atomic_init_u64(&shared->began_us[i], 0);
	}
}
