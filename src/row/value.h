/*-------------------------------------------------------------------------
 *
 * src/row/value.h
 *	  One value as bytes that mean the same on every node.
 *
 * The bytes are the type's binary send form in the encoding of the database,
 * whatever the session's client_encoding is, with OIDs of types that are not
 * built in blanked out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_ROW_VALUE_H
#define TG_ROW_VALUE_H

#include "base/bytes.h"
#include "fmgr.h"

typedef struct TgValueType
{
	Oid			type;			/* as declared: may be a domain */
	int32		typmod;
	Oid			recv_param;
	bool		has_type_oids;	/* the send form names types of this node */
	FmgrInfo	send;
	FmgrInfo	recv;
} TgValueType;

extern bool tg_value_type_is_portable(Oid type);
extern void tg_value_type_init(TgValueType *vt, Oid type, int32 typmod,
							   MemoryContext context);
extern void tg_value_write(TgValueType *vt, Datum value, StringInfo buf);
extern Datum tg_value_read(TgValueType *vt, TgBytes bytes);

#endif							/* TG_ROW_VALUE_H */
