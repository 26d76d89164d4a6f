/*-------------------------------------------------------------------------
 *
 * src/row/value.c
 *	  One value as bytes that mean the same on every node.
 *
 * The common types are written here, without a function call and without
 * memory.  All others go through their send function, which converts text to
 * client_encoding: so that is the database's for the time of the call.
 *
 * Arrays and composites name the types of their parts by OID.  For types that
 * are not built in the OID differs from node to node: zero is sent in its
 * place, and the receive functions do not insist on it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "base/error.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "row/value.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

/*
 * Can values of the type be sent in binary, and received?
 */
bool
tg_value_type_is_portable(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	result = OidIsValid(form->typsend) && OidIsValid(form->typreceive);
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Look up what is needed to write and read values of a type.  Errors out if it
 * is not portable.
 */
void
tg_value_type_init(TgValueType *vt, Oid type, int32 typmod, MemoryContext context)
{
	Oid			send;
	Oid			recv;
	bool		is_varlena;

	getTypeBinaryOutputInfo(type, &send, &is_varlena);
	getTypeBinaryInputInfo(type, &recv, &vt->recv_param);
	fmgr_info_cxt(send, &vt->send, context);
	fmgr_info_cxt(recv, &vt->recv, context);
	vt->type = type;
	vt->typmod = typmod;
	vt->has_type_oids = type >= FirstNormalObjectId &&
		(send == F_ARRAY_SEND || send == F_RECORD_SEND);
}

static void blank_type_oids(Oid type, TgBytes value);

/*
 * Blank out the OID that comes next if that type is not built in.
 */
static void
blank_next_oid(TgReader *reader, Oid type)
{
	const char *at = tg_read_bytes(reader, sizeof(Oid));

	/* the bytes are our own copy */
	if (at != NULL && type >= FirstNormalObjectId)
		memset(unconstify(char *, at), 0, sizeof(Oid));
}

static void
blank_next_part(TgReader *reader, Oid type)
{
	TgBytes		part = {.len = tg_read_u32(reader)};

	if (part.len == PG_UINT32_MAX)
		return;					/* a NULL */
	part.data = tg_read_bytes(reader, part.len);
	if (part.data != NULL)
		blank_type_oids(type, part);
}

static void
blank_array(Oid element, TgReader *reader)
{
	uint32		ndim = tg_read_u32(reader);

	(void) tg_read_u32(reader); /* flags */
	blank_next_oid(reader, element);
	(void) tg_read_bytes(reader, Min(ndim, MAXDIM) * 8);
	while (!tg_reader_at_end(reader))
		blank_next_part(reader, element);
}

static void
blank_composite(Oid type, TgReader *reader)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);

	(void) tg_read_u32(reader); /* number of columns */
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		blank_next_oid(reader, att->atttypid);
		blank_next_part(reader, att->atttypid);
	}
	ReleaseTupleDesc(desc);
}

/*
 * Blank out, in the send form of a value, the OIDs that mean nothing on
 * another node.
 */
static void
blank_type_oids(Oid type, TgBytes value)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	TgReader	reader;

	if (base < FirstNormalObjectId)
		return;

	tg_reader_init(&reader, value.data, value.len);
	if (OidIsValid(element))
		blank_array(element, &reader);
	else if (get_typtype(base) == TYPTYPE_COMPOSITE)
		blank_composite(base, &reader);
}

static bytea *
send_in_database_encoding(FmgrInfo *send, Datum value)
{
	int			client = pg_get_client_encoding();
	bytea	   *volatile result = NULL;

	if (client == GetDatabaseEncoding())
		return SendFunctionCall(send, value);

	SetClientEncoding(GetDatabaseEncoding());
	PG_TRY();
	{
		result = SendFunctionCall(send, value);
	}
	PG_FINALLY();
	{
		SetClientEncoding(client);
	}
	PG_END_TRY();
	return result;
}

static Datum
receive_in_database_encoding(TgValueType *vt, StringInfo buf)
{
	int			client = pg_get_client_encoding();
	volatile Datum result = 0;

	if (client == GetDatabaseEncoding())
		return ReceiveFunctionCall(&vt->recv, buf, vt->recv_param, vt->typmod);

	SetClientEncoding(GetDatabaseEncoding());
	PG_TRY();
	{
		result = ReceiveFunctionCall(&vt->recv, buf, vt->recv_param, vt->typmod);
	}
	PG_FINALLY();
	{
		SetClientEncoding(client);
	}
	PG_END_TRY();
	return result;
}

static void
write_varlena(Datum value, StringInfo buf)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);

	tg_write_counted(buf, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
	if (PointerGetDatum(packed) != value)
		pfree(packed);
}

static void
write_sent(TgValueType *vt, Datum value, StringInfo buf)
{
	bytea	   *sent = send_in_database_encoding(&vt->send, value);
	TgBytes		bytes = {VARDATA(sent), VARSIZE(sent) - VARHDRSZ};

	if (vt->has_type_oids)
		blank_type_oids(vt->type, bytes);
	tg_write_counted(buf, bytes.data, bytes.len);
	pfree(sent);
}

/*
 * Append a value: the number of its bytes (32 bits), then the bytes.  Uses no
 * memory for the common types, unless the value is compressed or out of line.
 */
void
tg_value_write(TgValueType *vt, Datum value, StringInfo buf)
{
	switch (vt->send.fn_oid)
	{
		case F_BOOLSEND:
			tg_write_u32(buf, 1);
			tg_write_u8(buf, DatumGetBool(value) ? 1 : 0);
			break;
		case F_INT2SEND:
			tg_write_u32(buf, 2);
			tg_write_u16(buf, DatumGetUInt16(value));
			break;
		case F_DATE_SEND:
		case F_INT4SEND:
		case F_OIDSEND:
			tg_write_u32(buf, 4);
			tg_write_u32(buf, DatumGetUInt32(value));
			break;
		case F_INT8SEND:
		case F_TIMESTAMPTZ_SEND:
		case F_TIMESTAMP_SEND:
			tg_write_u32(buf, 8);
			tg_write_u64(buf, DatumGetUInt64(value));
			break;
		case F_UUID_SEND:
			tg_write_counted(buf, DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case F_NAMESEND:
			tg_write_counted(buf, NameStr(*DatumGetName(value)),
							 strlen(NameStr(*DatumGetName(value))));
			break;
		case F_BPCHARSEND:
		case F_BYTEASEND:
		case F_TEXTSEND:
		case F_VARCHARSEND:
			write_varlena(value, buf);
			break;
		default:
			write_sent(vt, value, buf);
			break;
	}
}

static void
require_length(TgBytes bytes, uint32 len)
{
	if (bytes.len != len)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("value has %u bytes where its type has %u", bytes.len, len)));
}

static Datum
read_received(TgValueType *vt, TgBytes bytes)
{
	StringInfoData buf;
	Datum		result;

	/* receive functions count on a NUL behind the bytes, and on write access */
	initStringInfo(&buf);
	tg_write_bytes(&buf, bytes.data, bytes.len);
	result = receive_in_database_encoding(vt, &buf);
	if (buf.cursor != buf.len)
		ereport(ERROR,
				(errcode(ERRCODE_TG_PROTOCOL),
				 errmsg("value of type %s has %d bytes too many",
						format_type_be(vt->type), buf.len - buf.cursor)));
	pfree(buf.data);
	return result;
}

/*
 * The value of such bytes, without their length, in the current memory
 * context.  Errors out if the type does not accept them.
 */
Datum
tg_value_read(TgValueType *vt, TgBytes bytes)
{
	TgReader	reader;

	tg_reader_init(&reader, bytes.data, bytes.len);
	switch (vt->recv.fn_oid)
	{
		case F_INT2RECV:
			require_length(bytes, 2);
			return Int16GetDatum((int16) tg_read_u16(&reader));
		case F_INT4RECV:
			require_length(bytes, 4);
			return Int32GetDatum((int32) tg_read_u32(&reader));
		case F_OIDRECV:
			require_length(bytes, 4);
			return ObjectIdGetDatum(tg_read_u32(&reader));
		case F_INT8RECV:
			require_length(bytes, 8);
			return Int64GetDatum((int64) tg_read_u64(&reader));
		case F_TEXTRECV:
			(void) pg_verify_mbstr(GetDatabaseEncoding(), bytes.data, bytes.len, false);
			/* FALLTHROUGH */
		case F_BYTEARECV:
			return PointerGetDatum(cstring_to_text_with_len(bytes.data, bytes.len));
		default:
			return read_received(vt, bytes);
	}
}
