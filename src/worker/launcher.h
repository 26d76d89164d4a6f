/*-------------------------------------------------------------------------
 *
 * src/worker/launcher.h
 *	  Starts all other workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_LAUNCHER_H
#define TG_WORKER_LAUNCHER_H

extern void tg_launcher_register(void);

extern PGDLLEXPORT void topgun_launcher_main(Datum arg);

#endif							/* TG_WORKER_LAUNCHER_H */
