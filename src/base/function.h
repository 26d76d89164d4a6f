/*-------------------------------------------------------------------------
 *
 * src/base/function.h
 *	  The extension's own SQL functions, as planner and triggers see them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_FUNCTION_H
#define TG_BASE_FUNCTION_H

typedef enum TgFunction
{
	TG_FN_CAPTURE,				/* topgun_internal.capture() */
	TG_FN_CURRENT_STAMP,		/* topgun.current_stamp() */
	TG_FN_TRUNCATE				/* topgun_internal.capture_truncate() */
} TgFunction;

#define TG_FUNCTION_COUNT		(TG_FN_TRUNCATE + 1)

extern Oid	tg_function_oid(TgFunction which);

#endif							/* TG_BASE_FUNCTION_H */
