/*-------------------------------------------------------------------------
 *
 * src/worker/dropdb.h
 *	  Workers make way for DROP DATABASE and ALTER DATABASE RENAME.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_DROPDB_H
#define TG_WORKER_DROPDB_H

extern void tg_dropdb_install(void);

#endif							/* TG_WORKER_DROPDB_H */
