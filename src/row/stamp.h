/*-------------------------------------------------------------------------
 *
 * src/row/stamp.h
 *	  The SQL type topgun.stamp: text form and Datum.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_STAMP_H
#define TG_ROW_STAMP_H

#include "base/types.h"

#define TG_STAMP_TEXT_SIZE		48	/* enough for any stamp's text form */

/* The type is passed by value where int8 is, which is everywhere we build. */
#define TgStampGetDatum(stamp)	UInt64GetDatum(stamp)
#define DatumGetTgStamp(datum)	DatumGetUInt64(datum)
#define PG_GETARG_TGSTAMP(n)	DatumGetTgStamp(PG_GETARG_DATUM(n))
#define PG_RETURN_TGSTAMP(x)	return TgStampGetDatum(x)

extern void tg_stamp_format(TgStamp stamp, char *buf);
extern bool tg_stamp_parse(const char *text, TgStamp *stamp);

#endif							/* TG_ROW_STAMP_H */
