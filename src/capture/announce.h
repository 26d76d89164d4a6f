/*-------------------------------------------------------------------------
 *
 * src/capture/announce.h
 *	  Rows that were there before anybody watched.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CAPTURE_ANNOUNCE_H
#define TG_CAPTURE_ANNOUNCE_H

extern void tg_table_announce(Oid relid);
extern void tg_partition_announce(Oid relid);

#endif							/* TG_CAPTURE_ANNOUNCE_H */
