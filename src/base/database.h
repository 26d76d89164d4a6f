/*-------------------------------------------------------------------------
 *
 * src/base/database.h
 *	  Each database that is a node has a place in our shared arrays.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_BASE_DATABASE_H
#define TG_BASE_DATABASE_H

#define TG_MAX_DATABASES		16	/* of one server, that are nodes */

extern int	tg_database_slot(void);

extern Size tg_database_shmem_size(void);
extern void tg_database_shmem_attach(void *ptr, bool found);

#endif							/* TG_BASE_DATABASE_H */
