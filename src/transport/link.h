/*-------------------------------------------------------------------------
 *
 * src/transport/link.h
 *	  A connection to a peer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_LINK_H
#define TG_TRANSPORT_LINK_H

#include "base/bytes.h"
#include "datatype/timestamp.h"

#define TG_LINK_MAX_PARAMS		6

typedef struct TgLink TgLink;

/* A text parameter has no length; a binary one has. */
typedef struct TgLinkParam
{
	const char *data;
	int			len;
	bool		is_binary;
} TgLinkParam;

/* How far a link is that nobody waits for alone. */
typedef enum TgLinkProgress
{
	TG_LINK_CONNECTING,			/* IDLE, BROKEN */
	TG_LINK_IDLE,				/* BUSY, BROKEN */
	TG_LINK_BUSY,				/* ANSWERED, BROKEN */
	TG_LINK_ANSWERED,			/* IDLE, BROKEN */
	TG_LINK_BROKEN
} TgLinkProgress;

extern void tg_link_check_dsn(const char *dsn);
extern char *tg_link_option(const char *dsn, const char *keyword);
extern bool tg_link_is_absence(int sqlstate);
extern TgLink *tg_link_open(const char *dsn, const char *peer);
extern TgLink *tg_link_open_until(const char *dsn, const char *peer, TimestampTz until);
extern void tg_link_close(TgLink *link);
extern int	tg_link_server_version(TgLink *link);
extern void tg_link_prepare(TgLink *link, const char *name, const char *sql);
extern void tg_link_execute(TgLink *link, const char *name, int nparams, const TgLinkParam *params);
extern void tg_link_send(TgLink *link, const char *sql, int nparams, const TgLinkParam *params);
extern TgBytes tg_link_receive(TgLink *link, int timeout_ms);
extern void tg_link_copy_begin(TgLink *link, const char *sql);
extern bool tg_link_copy_next(TgLink *link, int timeout_ms, TgBytes *value);
extern char *tg_link_ask(TgLink *link, const char *sql, int nparams, const TgLinkParam *params);

extern TgLink *tg_link_start(const char *dsn, const char *peer);
extern TgLinkProgress tg_link_poll(TgLink *link);
extern void tg_link_begin(TgLink *link, const char *sql, int nparams, const TgLinkParam *params);
extern bool tg_link_take_answer(TgLink *link, TgBytes *answer);
extern const char *tg_link_error(TgLink *link, int *sqlstate);
extern bool tg_link_wait_any(TgLink **links, int nlinks, long timeout_ms);

#endif							/* TG_TRANSPORT_LINK_H */
