/*-------------------------------------------------------------------------
 *
 * src/capture/stamp_plan.h
 *	  A fresh stamp for every row that a plan writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_STAMP_PLAN_H
#define TG_CAPTURE_STAMP_PLAN_H

extern void tg_stamp_plan_install(void);

#endif							/* TG_CAPTURE_STAMP_PLAN_H */
