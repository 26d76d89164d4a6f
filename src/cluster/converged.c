/*-------------------------------------------------------------------------
 *
 * src/cluster/converged.c
 *	  Do all members hold the same rows?
 *
 * Each member is asked for the roots of its trees, one line a table in the
 * order of ids, after it has brought them up to its journal.  Our own come
 * last, since they are here at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/attempt.h"
#include "base/error.h"
#include "base/guc.h"
#include "clock/identity.h"
#include "cluster/converged.h"
#include "digest/tree_store.h"
#include "transport/gate.h"
#include "transport/link.h"
#include "transport/member.h"
#include "transport/state.h"
#include "transport/tree_now.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* What one member is asked, and has said. */
typedef struct Question
{
	TgMember   *member;
	MemoryContext context;		/* of the answer */
	char	   *roots;
} Question;

static int
compare_states(const ListCell *a, const ListCell *b)
{
	TgTableId	left = ((const TgTableState *) lfirst(a))->table;
	TgTableId	right = ((const TgTableState *) lfirst(b))->table;

	return left < right ? -1 : left > right ? 1 : 0;
}

static char *
stored_roots(void)
{
	List	   *states = tg_table_states();
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	list_sort(states, compare_states);
	foreach(lc, states)
	{
		TgTableState *state = lfirst(lc);
		TgTreeHead	head;

		if (state->status == TG_TABLE_MISSING)
			continue;
		tg_tree_load_head(state->table, snapshot, &head);
		appendStringInfo(&text, "%d %016llx\n", state->table, (unsigned long long) head.root);
	}
	UnregisterSnapshot(snapshot);
	return text.data;
}

/*
 * The roots of our trees, with all in them that is committed now.  Nobody else
 * folds until the end of the transaction.
 */
char *
tg_tree_roots_text(void)
{
	(void) tg_node_id_required();
	tg_fold_now();
	return stored_roots();
}

static void
read_roots(void *arg)
{
	*(char **) arg = stored_roots();
}

/*
 * The same for a transaction that may go on for long.
 */
static char *
own_roots(void)
{
	char	   *roots;

	tg_fold_and_read(read_roots, &roots);
	return roots;
}

static void
ask(void *arg)
{
	Question   *question = arg;
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tg_connect_timeout_ms);
	TgLink	   *link = tg_link_open_until(question->member->dsn, question->member->name, until);
	TgLinkParam param = tg_speaker_param();
	char	   *roots = tg_link_ask(link, "SELECT topgun_internal.tree_roots($1)", 1, &param);

	if (roots == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("broken answer from node \"%s\"", question->member->name)));
	question->roots = MemoryContextStrdup(question->context, roots);
	tg_link_close(link);
}

/*
 * What a member says, or NULL, with a notice, if it cannot be asked.
 */
static char *
roots_of(TgMember *member)
{
	Question	question = {.member = member,.context = CurrentMemoryContext};
	ErrorData  *error = tg_attempt(ask, &question);

	if (error == NULL)
		return question.roots;
	if (!tg_link_is_absence(error->sqlerrcode) && error->sqlerrcode != ERRCODE_TG_STALE_EPOCH)
		ReThrowError(error);
	ereport(NOTICE,
			(errcode(error->sqlerrcode),
			 errmsg("node \"%s\" cannot be asked", member->name),
			 errdetail_internal("%s", error->message)));
	return NULL;
}

/*
 * The line of a table, without its id; NULL if there is none.
 */
static const char *
line_of(const char *roots, TgTableId table)
{
	const char *line = roots;

	while (line != NULL && *line != '\0')
	{
		if (atoi(line) == table)
			return strchr(line, ' ');
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return NULL;
}

static bool
is_same_root(const char *a, const char *b, TgTableId table)
{
	const char *left = line_of(a, table);
	const char *right = line_of(b, table);

	return left != NULL && right != NULL &&
		strcspn(left, "\n") == strcspn(right, "\n") &&
		strncmp(left, right, strcspn(left, "\n")) == 0;
}

/*
 * Have all active members the same root of a table, or, if it is 0, the same
 * tables with the same roots?  False, with a notice, if one cannot be asked.
 */
bool
tg_converged(TgTableId table)
{
	TgNodeId	self = tg_node_id_required();
	List	   *answers = NIL;
	char	   *own;
	bool		converged = true;
	ListCell   *lc;

	foreach(lc, tg_members())
	{
		TgMember   *member = lfirst(lc);
		char	   *roots;

		if (!member->is_active || member->node == self)
			continue;
		roots = roots_of(member);
		if (roots == NULL)
			converged = false;
		else
			answers = lappend(answers, roots);
	}
	if (!converged)
		return false;

	own = own_roots();
	foreach(lc, answers)
	{
		const char *roots = lfirst(lc);

		if (table == 0 ? strcmp(own, roots) != 0 : !is_same_root(own, roots, table))
			return false;
	}
	return true;
}
