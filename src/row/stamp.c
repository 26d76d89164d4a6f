/*-------------------------------------------------------------------------
 *
 * src/row/stamp.c
 *	  The SQL type topgun.stamp: text form and Datum.  Pure.
 *
 * "2026-11-23 08:04:12.123Z/5@3" is the sixth stamp (counter 5) that a node
 * could make in that millisecond, made by node 3.  The time is always UTC and
 * ISO 8601: a dump must not depend on the session that takes it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/hlc.h"
#include "row/stamp.h"
#include "utils/datetime.h"

#define MS_PER_DAY			(INT64CONST(1000) * SECS_PER_DAY)

/*
 * Write the stamp's text form to buf, TG_STAMP_TEXT_SIZE bytes.  A value that
 * no row can have, TG_NO_STAMP among them, gets the same form with node 0.
 */
void
tg_stamp_format(TgStamp stamp, char *buf)
{
	int64		ms = tg_stamp_ms(stamp);
	int			in_day = ms % MS_PER_DAY;
	int			year;
	int			month;
	int			day;

	j2date(POSTGRES_EPOCH_JDATE + ms / MS_PER_DAY, &year, &month, &day);
	snprintf(buf, TG_STAMP_TEXT_SIZE,
			 "%04d-%02d-%02d %02d:%02d:%02d.%03dZ/%u@%u",
			 year, month, day,
			 in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60,
			 in_day % 1000,
			 tg_stamp_counter(stamp), tg_stamp_node(stamp));
}

/*
 * Read a stamp's text form.  Accepts what tg_stamp_format() writes for a node
 * of 1 or more and nothing else, not even a space more; else returns false and
 * leaves *stamp alone.
 */
bool
tg_stamp_parse(const char *text, TgStamp *stamp)
{
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			fraction;
	int			counter;
	int			node;
	int64		ms;
	TgStamp		result;
	char		canonical[TG_STAMP_TEXT_SIZE];

	if (sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d.%3dZ/%4d@%4d",
			   &year, &month, &day, &hour, &minute, &second, &fraction,
			   &counter, &node) != 9)
		return false;

	ms = (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * MS_PER_DAY +
		((hour * 60 + minute) * 60 + second) * INT64CONST(1000) + fraction;

	if (ms < 0 || ms > TG_MAX_MS ||
		counter < 0 || counter > TG_MAX_COUNTER ||
		node < 1 || node > TG_MAX_NODE)
		return false;

	/* What sscanf() and date2j() are lenient about does not come back. */
	result = tg_stamp_make(ms, counter, node);
	tg_stamp_format(result, canonical);
	if (strcmp(text, canonical) != 0)
		return false;

	*stamp = result;
	return true;
}
