/*-------------------------------------------------------------------------
 *
 * src/transport/crew.c
 *	  Merging large answers with workers.
 *
 * An answer is cut into slices, small answers with a section each, that the
 * workers of a job merge in transactions of their own.  When all are merged,
 * the puller moves the cursor and the vector: whatever ends before leaves rows
 * that will be merged again, which is harmless.
 *
 * Rows that exchange unique values can be in different slices.  So a slice
 * leaves those that are in each other's way, and the whole answer is merged
 * again by the puller alone, who finds all else to be merged.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/failpoint.h"
#include "bulk/slice_file.h"
#include "executor/spi.h"
#include "journal/append.h"
#include "transport/crew.h"
#include "utils/memutils.h"

#define SLICE_CHANGES	2000
#define SLICE_BYTES		(1024 * 1024)	/* exceeded by less than one change */

/* The counters of the job. */
enum
{
	APPLIED, OLDER, EQUAL, CONFLICTS, QUARANTINED, DELETED, LEFT, LOST,
	CONFLICTS_OF, COUNTERS = CONFLICTS_OF + TG_CONFLICT_KINDS
};

StaticAssertDecl(COUNTERS <= TG_JOB_COUNTERS, "a job has too few counters");

struct TgCrew
{
	TgJob	   *job;
	int64		told[TG_JOB_COUNTERS];	/* of the counters, so far */
};

/*
 * Have workers for answers of a peer; they are started with the first.  It
 * outlives transactions, and ends with tg_crew_end() or the process.
 */
TgCrew *
tg_crew_begin(TgNodeId peer, int nworkers, MemoryContext context)
{
	TgCrew	   *crew = MemoryContextAllocZero(context, sizeof(TgCrew));
	TgJobSpec	spec = {
		.kind = TG_JOB_PULL,
		.peer = peer,
		.nworkers = nworkers,
		.params = "",
		.params_bytes = 1
	};

	crew->job = tg_job_begin(&spec);
	return crew;
}

/*
 * Where the slice ends that begins with this change of a section.
 */
static uint32
slice_end(const TgSection *section, uint32 start)
{
	Size		bytes = 0;
	uint32		end = start;

	while (end < section->head.nchanges && end - start < SLICE_CHANGES && bytes < SLICE_BYTES)
		bytes += section->changes[end++].payload.len;
	return end;
}

static bool
has_truncation(const TgSection *section)
{
	for (uint32 i = 0; i < section->head.nchanges; i++)
		if (section->changes[i].kind == TG_CHANGE_TRUNCATE)
			return true;
	return false;
}

/*
 * Is the answer one that can be merged in parts?  A TRUNCATE and the cluster's
 * metadata are for one transaction.
 */
bool
tg_crew_suits(const TgAnswer *answer)
{
	for (uint32 i = 0; i < answer->head.ntables; i++)
	{
		const TgSection *section = &answer->sections[i];

		if (section->head.table < TG_FIRST_USER_TABLE || has_truncation(section))
			return false;
	}
	return true;
}

/*
 * A job can have no more than so many slices: is there room for those of this
 * answer?
 */
bool
tg_crew_has_room(TgCrew *crew, const TgAnswer *answer)
{
	int			nslices = tg_job_next_slice(crew->job);

	for (uint32 i = 0; i < answer->head.ntables; i++)
	{
		const TgSection *section = &answer->sections[i];

		for (uint32 start = 0; start < section->head.nchanges; start = slice_end(section, start))
			nslices++;
	}
	return nslices <= TG_JOB_MAX_SLICES;
}

static void
add_slice(TgCrew *crew, const TgAnswerHead *head, const TgSection *section, uint32 start, uint32 end)
{
	TgSectionHead part = section->head;
	StringInfoData buf;

	part.nchanges = end - start;
	initStringInfo(&buf);
	tg_wire_write_answer(&buf, head);
	tg_wire_write_section(&buf, &part);
	for (uint32 i = start; i < end; i++)
		tg_wire_write_change(&buf, &section->changes[i]);
	tg_slice_put(tg_job_files(crew->job), tg_job_next_slice(crew->job), tg_bytes_of_buf(&buf));
	tg_job_add_slice(crew->job);
	pfree(buf.data);
}

/*
 * Have an answer merged whose stamps the clock has observed; do not wait.  The
 * vector is what the peer has merged.  Needs a transaction.  To be followed by
 * tg_crew_finish().
 */
void
tg_crew_start(TgCrew *crew, const TgAnswer *answer, TgVector *vector)
{
	TgAnswerHead head = answer->head;

	head.vector = vector;
	head.ntables = 1;
	for (uint32 i = 0; i < answer->head.ntables; i++)
	{
		const TgSection *section = &answer->sections[i];
		uint32		end;

		for (uint32 start = 0; start < section->head.nchanges; start = end)
		{
			end = slice_end(section, start);
			add_slice(crew, &head, section, start, end);
		}
	}
}

static int64
take_counter(TgCrew *crew, int counter)
{
	int64		now = tg_job_counter(crew->job, counter);
	int64		before = crew->told[counter];

	crew->told[counter] = now;
	return now - before;
}

/*
 * Wait until the answer is merged, and add up what was done.  False if
 * something was left, so that all of it has to be merged again.  Runs outside
 * of a transaction.
 */
bool
tg_crew_finish(TgCrew *crew, TgMergeCounts *counts)
{
	MemoryContext caller = CurrentMemoryContext;

	StartTransactionCommand();
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	tg_job_drain(crew->job, tg_crew_slice);
	SPI_finish();
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);

	counts->applied = take_counter(crew, APPLIED);
	counts->older = take_counter(crew, OLDER);
	counts->equal = take_counter(crew, EQUAL);
	counts->conflicts = take_counter(crew, CONFLICTS);
	counts->quarantined = take_counter(crew, QUARANTINED);
	counts->deleted = take_counter(crew, DELETED);
	counts->conflicts_lost = take_counter(crew, LOST);
	for (int i = 0; i < TG_CONFLICT_KINDS; i++)
		counts->conflicts_of[i] = take_counter(crew, CONFLICTS_OF + i);
	return take_counter(crew, LEFT) == 0;
}

/*
 * Let the workers go.  All is merged.
 */
void
tg_crew_end(TgCrew *crew)
{
	tg_job_close(crew->job);
	tg_job_wait(crew->job, tg_crew_slice);
	tg_job_end(crew->job);
	pfree(crew);
}

/*
 * Merge one slice.
 */
void
tg_crew_slice(TgSliceRun *run)
{
	TgAnswer	answer;
	TgMerge		merge;

	tg_answer_read(tg_slice_get(run->files, run->slice), &answer);
	tg_merge_begin(&merge, answer.head.sender.node, answer.head.vector);
	merge.leaves_conflicts = true;
	tg_answer_merge(&answer, &merge);
	tg_merge_end(&merge);
	tg_journal_set_source(answer.head.sender.node, NULL);
	TG_FAILPOINT("pull-slice");
	tg_job_check(run->job, answer.nchanges);

	run->counters[APPLIED] = merge.counts.applied;
	run->counters[OLDER] = merge.counts.older;
	run->counters[EQUAL] = merge.counts.equal;
	run->counters[CONFLICTS] = merge.counts.conflicts;
	run->counters[QUARANTINED] = merge.counts.quarantined;
	run->counters[DELETED] = merge.counts.deleted;
	run->counters[LEFT] = merge.nleft;
	run->counters[LOST] = merge.counts.conflicts_lost;
	for (int i = 0; i < TG_CONFLICT_KINDS; i++)
		run->counters[CONFLICTS_OF + i] = merge.counts.conflicts_of[i];
}
