/*-------------------------------------------------------------------------
 *
 * src/worker/folder.h
 *	  The worker that brings the journal into the trees.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_WORKER_FOLDER_H
#define TG_WORKER_FOLDER_H

extern PGDLLEXPORT void topgun_folder_main(Datum arg);

#endif							/* TG_WORKER_FOLDER_H */
