/*-------------------------------------------------------------------------
 *
 * src/base/error.h
 *	  SQLSTATEs of our own, for what a client must be able to tell apart.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_ERROR_H
#define TG_BASE_ERROR_H

#include "utils/elog.h"

#define ERRCODE_TG_FENCED			MAKE_SQLSTATE('T', 'G', '0', '0', '1')
#define ERRCODE_TG_STALE_EPOCH		MAKE_SQLSTATE('T', 'G', '0', '0', '2')
#define ERRCODE_TG_UNKNOWN_PEER		MAKE_SQLSTATE('T', 'G', '0', '0', '3')
#define ERRCODE_TG_CLOCK_DRIFT		MAKE_SQLSTATE('T', 'G', '0', '0', '4')
#define ERRCODE_TG_SCHEMA_DIFFERS	MAKE_SQLSTATE('T', 'G', '0', '0', '5')
#define ERRCODE_TG_JOURNAL_CUT		MAKE_SQLSTATE('T', 'G', '0', '0', '6')
#define ERRCODE_TG_NOT_A_NODE		MAKE_SQLSTATE('T', 'G', '0', '0', '7')
#define ERRCODE_TG_BAD_STAMP		MAKE_SQLSTATE('T', 'G', '0', '0', '8')
#define ERRCODE_TG_PROTOCOL			MAKE_SQLSTATE('T', 'G', '0', '0', '9')
#define ERRCODE_TG_DOUBTFUL			MAKE_SQLSTATE('T', 'G', '0', '1', '0')
#define ERRCODE_TG_NO_MAJORITY		MAKE_SQLSTATE('T', 'G', '0', '1', '1')
#define ERRCODE_TG_NOT_ACKNOWLEDGED	MAKE_SQLSTATE('T', 'G', '0', '1', '2')

#endif							/* TG_BASE_ERROR_H */
