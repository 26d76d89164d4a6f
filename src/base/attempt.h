/*-------------------------------------------------------------------------
 *
 * src/base/attempt.h
 *	  Trying something that may fail without ending the transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_ATTEMPT_H
#define TG_BASE_ATTEMPT_H

#include "utils/elog.h"

extern ErrorData *tg_attempt(void (*run) (void *arg), void *arg);

#endif							/* TG_BASE_ATTEMPT_H */
