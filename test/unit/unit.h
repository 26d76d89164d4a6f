/*-------------------------------------------------------------------------
 *
 * test/unit/unit.h
 *	  What the unit tests share: checks, chance, hostile bytes.
 *
 * A suite is a file test_NOUN.c with one function test_NOUN(seed, rounds),
 * which test/unit/run finds by its PG_FUNCTION_INFO_V1.  It errors out at the
 * first check that fails.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_UNIT_H
#define TG_UNIT_H

#include "base/bytes.h"
#include "base/types.h"
#include "transport/wire_part.h"
#include "fmgr.h"

/* Fail, and say so with the values at hand, unless the condition holds. */
#define CHECK_SHOWING(condition, ...) \
	do { \
		if (!(condition)) \
			unit_fail(#condition, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#define CHECK(condition)		CHECK_SHOWING(condition, " ")

/*
 * One kind of message.
 *
 * make() appends a message of random content, after checking that each field
 * comes back.  copy() reads one message and appends what it has read; false
 * if the reader refuses it.
 */
typedef struct UnitCodec
{
	const char *name;
	void		(*make) (StringInfo buf);
	bool		(*copy) (TgReader *reader, StringInfo out);
} UnitCodec;

/* A message and its bytes for ever, in hexadecimal. */
typedef struct UnitPinned
{
	const char *name;
	void		(*make) (StringInfo buf);
	const char *hex;
} UnitPinned;

extern int	unit_start(FunctionCallInfo fcinfo);
pg_noreturn extern void unit_fail(const char *condition, const char *file, int line,
								  const char *fmt,...) pg_attribute_printf(4, 5);
extern int	unit_sqlstate_of(void (*body) (const void *arg), const void *arg);

extern uint64 unit_below(uint64 bound);
extern bool unit_one_in(int n);
extern uint64 unit_edgy(uint64 max);
extern TgNodeId unit_node(void);
extern TgStamp unit_stamp(void);
extern TgIncarnation unit_incarnation(void);
extern TgSpeaker unit_speaker(void);
extern bool unit_is_speaker(const TgSpeaker *a, const TgSpeaker *b);
extern TgBytes unit_bytes(uint32 min_len, uint32 max_len);
extern bool unit_same_bytes(TgBytes a, TgBytes b);

extern void unit_check_codec(const UnitCodec *codec, int rounds);
extern void unit_check_pinned(const UnitPinned *pinned);

#endif							/* TG_UNIT_H */
