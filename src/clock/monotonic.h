/*-------------------------------------------------------------------------
 *
 * src/clock/monotonic.h
 *	  Time that never steps, for how long something takes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLOCK_MONOTONIC_H
#define TG_CLOCK_MONOTONIC_H

extern int64 tg_monotonic_ms(void);

#endif							/* TG_CLOCK_MONOTONIC_H */
