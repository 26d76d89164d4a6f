/*-------------------------------------------------------------------------
 *
 * src/capture/utility.h
 *	  Utility statements that know nothing of stamps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_UTILITY_H
#define TG_CAPTURE_UTILITY_H

extern void tg_utility_install(void);

#endif							/* TG_CAPTURE_UTILITY_H */
