/*-------------------------------------------------------------------------
 *
 * src/transport/accepted.c
 *	  Which life of each peer this node accepts, in shared memory and in
 *	  topgun.peer_incarnation.
 *
 * Who is node N?  Whoever answers at its connection string: only the answers
 * to our own pulses make a life accepted, see transport/life.c.  What somebody
 * claims in a request is compared with that.  A claim that is new waits until
 * a pulse that was sent after it has been answered: by the same life, which
 * then is judged, or by another, and then it is a copy that speaks.  What was
 * refused is stored, too: a restart of this node must not make it welcome.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/database.h"
#include "base/sql.h"
#include "catalog/pg_authid_d.h"
#include "clock/hlc.h"
#include "executor/spi.h"
#include "storage/lwlock.h"
#include "transport/accepted.h"
#include "transport/peer.h"

#define SAVE_CLOCK_MS	60000	/* store the clock when it is so far ahead */

typedef struct AcceptedEntry
{
	TgNodeId	node;			/* 0: free */
	TgEpoch		since;			/* as a member of the view, since this epoch */
	TgIncarnation known;		/* counter 0: none yet */
	TgStamp		newest;			/* stamp of the node that we know of */
	TgStamp		saved_newest;
	bool		must_save;
	TgRefused	refused;
	TgIncarnation claimed;		/* counter 0: none */
	int64		claimed_ms;
} AcceptedEntry;

/* All protected by the lock. */
typedef struct AcceptedShared
{
	LWLock	   *lock;
	bool		is_loaded[TG_MAX_DATABASES];
	AcceptedEntry entries[TG_MAX_DATABASES][TG_MAX_PEERS];
} AcceptedShared;

static AcceptedShared *shared = NULL;

/*
 * The entry of a node, NULL if there is none.  Lock held.
 */
static AcceptedEntry *
find_entry(TgNodeId node)
{
	AcceptedEntry *entries = shared->entries[tg_database_slot()];

	Assert(LWLockHeldByMe(shared->lock));
	for (int i = 0; i < TG_MAX_PEERS; i++)
		if (entries[i].node == node)
			return &entries[i];
	return NULL;
}

/*
 * The same, made if need be; NULL if there is no room.
 */
static AcceptedEntry *
get_entry(TgNodeId node)
{
	AcceptedEntry *entry = find_entry(node);

	if (entry == NULL && (entry = find_entry(0)) != NULL)
	{
		memset(entry, 0, sizeof(*entry));
		entry->node = node;
	}
	return entry;
}

/*
 * Refused lives as text, "counter/random counter/random ..".
 */
static char *
write_refused(const TgRefused *refused)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < refused->n; i++)
		appendStringInfo(&text, "%s%u/" UINT64_FORMAT, i > 0 ? " " : "",
						 refused->lives[i].counter, refused->lives[i].random);
	return text.data;
}

static TgRefused
read_refused(const char *text)
{
	TgRefused	refused = {0};
	unsigned int counter;
	unsigned long long random;
	int			len;

	while (refused.n < TG_MAX_REFUSED && sscanf(text, "%u/%llu%n", &counter, &random, &len) == 2)
	{
		refused.lives[refused.n++] = (TgIncarnation)
		{
			counter, random
		};
		text	  +=len;
	}
	return refused;
}

static void
load_row(HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	AcceptedEntry *entry = get_entry(DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull)));

	if (entry == NULL)
		return;
	entry->since = (TgEpoch) DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	entry->known.counter = (uint32) DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
	entry->known.random = (uint64) DatumGetInt64(SPI_getbinval(row, desc, 4, &isnull));
	entry->newest = entry->saved_newest = (TgStamp) DatumGetInt64(SPI_getbinval(row, desc, 5, &isnull));
	entry->refused = read_refused(SPI_getvalue(row, desc, 6));
}

/*
 * Read the table, once after a start.  Needs a transaction.
 */
static void
load(void)
{
	int			slot = tg_database_slot();
	TgSqlSession session;

	if (shared->is_loaded[slot])
		return;

	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	(void) tg_sql_run("SELECT node_id, since, counter, random, newest, refused FROM topgun.peer_incarnation");
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (!shared->is_loaded[slot])
	{
		for (int i = 0; i < SPI_processed; i++)
			load_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		shared->is_loaded[slot] = true;
	}
	LWLockRelease(shared->lock);
	tg_sql_end(&session);
}

/*
 * Somebody asks us and says that he is this node in this life.  A node of which
 * no life is known yet is believed.  Needs a transaction.
 */
TgClaim
tg_accepted_claim(TgNodeId node, TgIncarnation incarnation, int64 now_ms)
{
	TgClaim		claim = TG_CLAIM_GOOD;
	AcceptedEntry *entry;

	load();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = find_entry(node);
	if (entry == NULL || entry->known.counter == 0 ||
		tg_incarnation_is(entry->known, incarnation))
		claim = TG_CLAIM_GOOD;
	else if (incarnation.counter == 0)
		claim = TG_CLAIM_OPEN;
	else if (tg_refused_has(&entry->refused, incarnation) ||
			 incarnation.counter <= entry->known.counter)
		claim = TG_CLAIM_REFUSED;
	else if (tg_incarnation_is(entry->claimed, incarnation))
		claim = TG_CLAIM_OPEN;
	else
	{
		entry->claimed = incarnation;
		entry->claimed_ms = now_ms;
		claim = TG_CLAIM_NEW;
	}
	LWLockRelease(shared->lock);
	return claim;
}

/*
 * True if that is news.  Lock held.
 */
static bool
refuse(AcceptedEntry *entry, TgIncarnation life)
{
	if (tg_refused_has(&entry->refused, life))
		return false;
	tg_refused_add(&entry->refused, life);
	entry->must_save = true;
	return true;
}

/*
 * A node has answered a pulse of ours that was sent at sent_ms.  Accept it, or
 * refuse it; is_news is set if that differs from before.
 */
TgLife
tg_accepted_judge(const TgPulse *told, int64 sent_ms, bool *is_news)
{
	TgLife		life = TG_LIFE_KNOWN;
	AcceptedEntry *entry;

	*is_news = false;
	if (told->incarnation.counter == 0)
		return life;			/* it is still starting */

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = get_entry(told->sender);
	if (entry != NULL)
	{
		life = tg_life_judge(told, entry->known, entry->newest, &entry->refused);
		if (life == TG_LIFE_NEXT)
		{
			*is_news = entry->must_save = true;
			entry->known = told->incarnation;
		}
		else if (life != TG_LIFE_KNOWN)
			*is_news = refuse(entry, told->incarnation);
		if (life <= TG_LIFE_NEXT)
			entry->newest = Max(entry->newest, told->clock);

		/* who claimed to be the node, and is not the one that answers? */
		if (entry->claimed.counter != 0 && sent_ms > entry->claimed_ms)
		{
			if (!tg_incarnation_is(entry->claimed, told->incarnation) &&
				!tg_life_descends(told, entry->claimed))
				(void) refuse(entry, entry->claimed);
			entry->claimed.counter = 0;
		}
	}
	LWLockRelease(shared->lock);
	return life;
}

/*
 * The node is a member since this epoch: if it has come back since we knew
 * it, what we knew holds no more.
 */
void
tg_accepted_renew(TgNodeId node, TgEpoch since)
{
	AcceptedEntry *entry;

	load();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = get_entry(node);
	if (entry != NULL && entry->since < since)
	{
		memset(entry, 0, sizeof(*entry));
		entry->node = node;
		entry->since = since;
		entry->must_save = true;
	}
	LWLockRelease(shared->lock);
}

/*
 * We have a stamp of the node, however it came.  It counts if we know the node.
 */
void
tg_accepted_observe(TgNodeId node, TgStamp stamp)
{
	AcceptedEntry *entry;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = find_entry(node);
	if (entry != NULL)
		entry->newest = Max(entry->newest, stamp);
	LWLockRelease(shared->lock);
}

/*
 * Has the node ever answered, since it became a member?  True also if that is
 * not known yet.
 */
bool
tg_accepted_has_lived(TgNodeId node)
{
	int			slot = tg_database_slot();
	bool		has_lived = true;

	LWLockAcquire(shared->lock, LW_SHARED);
	if (shared->is_loaded[slot])
	{
		AcceptedEntry *entry = find_entry(node);

		has_lived = entry != NULL && entry->known.counter != 0;
	}
	LWLockRelease(shared->lock);
	return has_lived;
}

static bool
is_unsaved(const AcceptedEntry *entry)
{
	return entry->node != 0 &&
		(entry->must_save ||
		 (entry->known.counter != 0 &&
		  tg_stamp_ms(entry->newest) > tg_stamp_ms(entry->saved_newest) + SAVE_CLOCK_MS));
}

/*
 * Is there something to store?
 */
bool
tg_accepted_must_save(void)
{
	AcceptedEntry *entries = shared->entries[tg_database_slot()];
	bool		must_save = false;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < TG_MAX_PEERS && !must_save; i++)
		must_save = is_unsaved(&entries[i]);
	LWLockRelease(shared->lock);
	return must_save;
}

/*
 * Store what is accepted now.  One process of the database does that.  Needs a
 * transaction; should it fail, the next change stores this one, too.
 */
void
tg_accepted_save(void)
{
	AcceptedEntry *entries = shared->entries[tg_database_slot()];
	TgSqlSession session;

	load();
	tg_sql_begin(&session, BOOTSTRAP_SUPERUSERID);
	for (int i = 0; i < TG_MAX_PEERS; i++)
	{
		AcceptedEntry entry;
		bool		must_save;

		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		must_save = is_unsaved(&entries[i]);
		entry = entries[i];
		if (must_save)
		{
			entries[i].must_save = false;
			entries[i].saved_newest = entry.newest;
		}
		LWLockRelease(shared->lock);
		if (must_save)
			(void) tg_sql_run("INSERT INTO topgun.peer_incarnation (node_id, since, counter, random, newest, refused) "
							  "VALUES (%d, " INT64_FORMAT ", %u, " INT64_FORMAT ", " INT64_FORMAT ", '%s') "
							  "ON CONFLICT (node_id) DO UPDATE SET since = excluded.since, "
							  "counter = excluded.counter, random = excluded.random, newest = excluded.newest, "
							  "refused = excluded.refused",
							  entry.node, (int64) entry.since, entry.known.counter,
							  (int64) entry.known.random, (int64) entry.newest,
							  write_refused(&entry.refused));
	}
	tg_sql_end(&session);
}

/*
 * This database is no node, whatever was known before.
 */
void
tg_accepted_forget(void)
{
	int			slot = tg_database_slot();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	memset(shared->entries[slot], 0, sizeof(shared->entries[slot]));
	shared->is_loaded[slot] = false;
	LWLockRelease(shared->lock);
}

Size
tg_accepted_shmem_size(void)
{
	return sizeof(AcceptedShared);
}

void
tg_accepted_shmem_attach(void *ptr, bool found)
{
	shared = ptr;
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	shared->lock = &GetNamedLWLockTranche("topgun accepted")->lock;
}
