/*-------------------------------------------------------------------------
 *
 * src/capture/capture.h
 *	  How local writes to replicated tables are seen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_CAPTURE_H
#define TG_CAPTURE_CAPTURE_H

extern void tg_capture_install(void);

#endif							/* TG_CAPTURE_CAPTURE_H */
