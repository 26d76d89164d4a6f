/*-------------------------------------------------------------------------
 *
 * src/clock/node_clock.c
 *	  The hybrid logical clock of this server.
 *
 * S. Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in
 * Globally Distributed Databases" (2014).  One atomic word holds the last
 * tick; taking the next is a compare-and-swap.  All databases of a server
 * share the clock, the node id is added to what it gives.
 *
 * No tick may be given twice, not even after a crash or with the wall clock
 * set back meanwhile.  So a file holds a ceiling, ahead of every tick given,
 * and a start begins at the ceiling.  The file is written by whoever needs a
 * tick beyond it, every few seconds of activity, under an LWLock: as with
 * pg_control, waiting for that disk write is what the lock is for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xlog.h"
#include "base/error.h"
#include "base/guc.h"
#include "clock/hlc.h"
#include "clock/node_clock.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#define CLOCK_FILE			"topgun.clock"
#define CLOCK_FILE_TMP		"topgun.clock.tmp"
#define CLOCK_MAGIC			0x54474331	/* "TGC1" */
#define RESERVE_MS			2000	/* how far the ceiling is put ahead */

typedef struct ClockFile
{
	uint32		magic;
	pg_crc32c	crc;			/* of the ceiling */
	uint64		ceiling;
} ClockFile;

typedef struct ClockShared
{
	pg_atomic_uint64 last;		/* a stamp of node 0; lock free */
	pg_atomic_uint64 ceiling;	/* on disk; raised under "topgun clock" */
	uint64		found;			/* the ceiling when the server started */
	LWLock	   *lock;
} ClockShared;

static ClockShared *shared = NULL;

/*
 * Milliseconds since 2000-01-01 by the wall clock.
 */
uint64
tg_clock_wall_ms(void)
{
	return (uint64) (GetCurrentTimestamp() / 1000 + tg_clock_offset_ms);
}

/*
 * The same in microseconds.
 */
int64
tg_clock_wall_us(void)
{
	return GetCurrentTimestamp() + tg_clock_offset_ms * INT64CONST(1000);
}

static pg_crc32c
crc_of(uint64 ceiling)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &ceiling, sizeof(ceiling));
	FIN_CRC32C(crc);
	return crc;
}

/*
 * Write the file so that it survives a crash.  Lock held.
 */
static void
write_file(uint64 ceiling)
{
	ClockFile	content = {.magic = CLOCK_MAGIC,.crc = crc_of(ceiling),.ceiling = ceiling};
	int			fd = OpenTransientFile(CLOCK_FILE_TMP, O_CREAT | O_TRUNC | O_WRONLY | PG_BINARY);

	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", CLOCK_FILE_TMP)));
	errno = 0;
	if (write(fd, &content, sizeof(content)) != sizeof(content) || pg_fsync(fd) != 0)
	{
		if (errno == 0)
			errno = ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", CLOCK_FILE_TMP)));
	}
	if (CloseTransientFile(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not close file \"%s\": %m", CLOCK_FILE_TMP)));
	durable_rename(CLOCK_FILE_TMP, CLOCK_FILE, ERROR);
}

/*
 * The ceiling of the last run, or 0 if this is the first.  A damaged file
 * stops the server: starting without it could repeat stamps.
 */
static uint64
read_file(void)
{
	ClockFile	content;
	int			fd = OpenTransientFile(CLOCK_FILE, O_RDONLY | PG_BINARY);
	ssize_t		nread;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		ereport(FATAL,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", CLOCK_FILE)));

	nread = read(fd, &content, sizeof(content));
	CloseTransientFile(fd);
	if (nread != sizeof(content) || content.magic != CLOCK_MAGIC ||
		content.crc != crc_of(content.ceiling))
		ereport(FATAL,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file \"%s\" is damaged", CLOCK_FILE),
				 errhint("Remove it only if the wall clock is right and has not been set back.")));
	return content.ceiling;
}

/*
 * Make sure that "stamp" lies below the ceiling on disk.  A standby gives no
 * stamps that last: its file stays that of the backup which it was made of, so
 * that it shows, once promoted, that it may not have all that its primary gave.
 */
static void
reserve(TgStamp stamp)
{
	if (likely(stamp < pg_atomic_read_u64(&shared->ceiling)))
		return;
	if (RecoveryInProgress())
		return;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (stamp >= pg_atomic_read_u64(&shared->ceiling))
	{
		uint64		ceiling = tg_stamp_make(tg_stamp_ms(stamp) + RESERVE_MS, 0, 0);

		write_file(ceiling);
		pg_atomic_write_u64(&shared->ceiling, ceiling);
	}
	LWLockRelease(shared->lock);
}

/*
 * The next stamp of this node: greater than every stamp given or observed on
 * this server before, and not behind the wall clock.  Takes "topgun clock"
 * only when the ceiling must be raised; then it can fail on the disk.
 */
TgStamp
tg_clock_tick(TgNodeId node)
{
	uint64		now_ms = tg_clock_wall_ms();
	uint64		last = pg_atomic_read_u64(&shared->last);
	uint64		next;

	do
	{
		next = tg_hlc_next(last, now_ms, 0);
		reserve(next);
	} while (!pg_atomic_compare_exchange_u64(&shared->last, &last, next));

	return next | node;
}

/*
 * May this stamp be taken over?  Not if it is further ahead of the wall clock
 * than topgun.max_clock_drift: one broken clock would drag all others along.
 */
bool
tg_clock_accepts(TgStamp stamp)
{
	return !tg_hlc_too_far(stamp, tg_clock_wall_ms(), tg_max_clock_drift_ms);
}

/*
 * Move the clock past a stamp, so that later ticks are greater.  Errors out
 * with ERRCODE_TG_CLOCK_DRIFT, and changes nothing, if it is too far ahead.
 */
void
tg_clock_observe(TgStamp stamp)
{
	uint64		last = pg_atomic_read_u64(&shared->last);

	stamp = tg_stamp_make(tg_stamp_ms(stamp), tg_stamp_counter(stamp), 0);
	if (stamp <= last)
		return;

	if (!tg_clock_accepts(stamp))
		ereport(ERROR,
				(errcode(ERRCODE_TG_CLOCK_DRIFT),
				 errmsg("stamp is too far ahead of the clock of this node"),
				 errdetail("It is %llu ms ahead, topgun.max_clock_drift allows %d ms.",
						   (unsigned long long) (tg_stamp_ms(stamp) - tg_clock_wall_ms()),
						   tg_max_clock_drift_ms),
				 errhint("Compare the clocks of the nodes.")));

	tg_clock_advance(stamp);
}

/*
 * Move the clock past a stamp that this node itself has given, however far
 * ahead.
 */
void
tg_clock_advance(TgStamp stamp)
{
	uint64		last = pg_atomic_read_u64(&shared->last);

	stamp = tg_stamp_make(tg_stamp_ms(stamp), tg_stamp_counter(stamp), 0);
	reserve(stamp);
	while (last < stamp &&
		   !pg_atomic_compare_exchange_u64(&shared->last, &last, stamp))
		;
}

/*
 * The ceiling that the server has found on disk when it started: whatever the
 * node had given before, if this is its own disk, lies below.
 */
TgStamp
tg_clock_found(void)
{
	return shared->found;
}

Size
tg_clock_shmem_size(void)
{
	return sizeof(ClockShared);
}

void
tg_clock_shmem_attach(void *ptr, bool found)
{
	uint64		ceiling;

	shared = ptr;
	if (found)
		return;

	ceiling = read_file();
	pg_atomic_init_u64(&shared->last, ceiling);
	pg_atomic_init_u64(&shared->ceiling, ceiling);
	shared->found = ceiling;
	shared->lock = &GetNamedLWLockTranche("topgun clock")->lock;
}
