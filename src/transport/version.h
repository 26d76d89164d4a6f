/*-------------------------------------------------------------------------
 *
 * src/transport/version.h
 *	  The newest version of a key that this node has.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_TRANSPORT_VERSION_H
#define TG_TRANSPORT_VERSION_H

#include "row/change.h"
#include "row/target.h"
#include "transport/section.h"
#include "transport/wire_tree.h"
#include "utils/snapshot.h"

typedef struct TgVersion
{
	TgVersionKind kind;
	TgStamp		stamp;
	TgLeaf	   *leaf;			/* holds the row, if one stands in the table */
	bool		is_waiting;		/* in quarantine, as the change below */
	bool		is_doubtful;	/* it waits since it may have been deleted:
								 * only for who judges that himself */
	TgChange	waiting;		/* without a payload: of no use to anybody */
} TgVersion;

extern void tg_version_find(TgTarget *target, TgBytes key, Snapshot snapshot, TgVersion *version);
extern void tg_version_find_after(TgTarget *target, TgBytes key, TgStamp deletion, Snapshot snapshot,
								  TgVersion *version);
extern int	tg_version_compare(TgVersionKind a_kind, TgStamp a, TgVersionKind b_kind, TgStamp b);
extern bool tg_version_send(TgSections *sections, const TgVersion *version, TgBytes key);

#endif							/* TG_TRANSPORT_VERSION_H */
