/*-------------------------------------------------------------------------
 *
 * src/clock/monotonic.c
 *	  Time that never steps, for how long something takes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "clock/monotonic.h"
#include "portability/instr_time.h"

/*
 * Milliseconds since some moment, the same for all processes of the server.
 */
int64
tg_monotonic_ms(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}
