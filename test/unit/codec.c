/*-------------------------------------------------------------------------
 *
 * test/unit/codec.c
 *	  What must hold for every kind of bytes that come from outside.
 *
 * Round trip: what was written is read, written again it is the same bytes.
 * Truncated anywhere, it is refused.  Damaged in any way, or made up, it is
 * refused, or else writing what was read gives just the bytes that were read:
 * there is one way to write each message.  Never is a byte read past the end:
 * the bytes end where a page begins that cannot be read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "miscadmin.h"
#include "unit.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define MAX_MESSAGE_BYTES	65536
#define DAMAGES_PER_ROUND	60

/* A run of the checks on one codec. */
typedef struct CodecRun
{
	const UnitCodec *codec;
	char	   *fence;			/* the first byte that cannot be read */
	uint64		naccepted;		/* damaged messages that were messages */
	uint64		nrefused;
} CodecRun;

/*
 * Map memory with an unreadable page after it; return where that begins.
 */
static char *
create_fence(void)
{
	Size		page = sysconf(_SC_PAGESIZE);
	char	   *memory = mmap(NULL, MAX_MESSAGE_BYTES + page, PROT_READ | PROT_WRITE,
							  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED ||
		mprotect(memory + MAX_MESSAGE_BYTES, page, PROT_NONE) != 0)
		elog(ERROR, "could not map memory: %m");
	return memory + MAX_MESSAGE_BYTES;
}

static void
drop_fence(char *fence)
{
	munmap(fence - MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + sysconf(_SC_PAGESIZE));
}

static char *
as_hex(TgBytes bytes)
{
	char	   *hex = palloc(2 * bytes.len + 1);

	hex[hex_encode(bytes.data, bytes.len, hex)] = '\0';
	return hex;
}

static TgBytes
bytes_of(StringInfo buf)
{
	TgBytes		bytes = {.data = buf->data,.len = buf->len};

	return bytes;
}

/*
 * Put the bytes before the fence and read them.  If they are accepted, check
 * that they are what would have been written, and return true.
 */
static bool
feed(CodecRun *run, TgBytes bytes, uint32 *nread)
{
	char	   *at = run->fence - bytes.len;
	TgReader	reader;
	TgBytes		consumed;
	StringInfoData out;

	CHECK(bytes.len <= MAX_MESSAGE_BYTES);
	memcpy(at, bytes.data, bytes.len);
	tg_reader_init(&reader, at, bytes.len);
	initStringInfo(&out);

	if (!run->codec->copy(&reader, &out))
		return false;

	CHECK_SHOWING(tg_reader_ok(&reader) && reader.at >= at && reader.at <= run->fence,
				  "%s: %s", run->codec->name, as_hex(bytes));
	consumed.data = at;
	consumed.len = *nread = reader.at - at;
	CHECK_SHOWING(unit_same_bytes(consumed, bytes_of(&out)),
				  "%s: %s", run->codec->name, as_hex(bytes));
	return true;
}

static void
check_whole(CodecRun *run, TgBytes message)
{
	uint32		nread = 0;

	CHECK_SHOWING(feed(run, message, &nread) && nread == message.len,
				  "%s: %s", run->codec->name, as_hex(message));
}

static void
check_truncated(CodecRun *run, TgBytes message)
{
	for (uint32 len = 0; len < message.len; len++)
	{
		TgBytes		part = {.data = message.data,.len = len};
		uint32		nread;

		CHECK_SHOWING(!feed(run, part, &nread),
					  "%s: %s", run->codec->name, as_hex(part));
	}
}

static void
check_hostile(CodecRun *run, TgBytes bytes)
{
	uint32		nread;

	if (feed(run, bytes, &nread))
		run->naccepted++;
	else
		run->nrefused++;
}

/*
 * Damage a copy of the message in one of five ways.
 */
static TgBytes
damaged(TgBytes message)
{
	TgBytes		result;
	char	   *data = palloc(message.len + 9);
	uint32		place = unit_below(message.len);
	uint32		ntail = message.len - place;

	result.data = memcpy(data, message.data, message.len);
	result.len = message.len;
	switch (unit_below(5))
	{
		case 0:					/* one bit */
			data[place] ^= 1 << unit_below(8);
			break;
		case 1:					/* one byte */
			data[place] = (char) unit_edgy(255);
			break;
		case 2:					/* a length, perhaps */
			memset(data + place, unit_one_in(2) ? 0xFF : 0x00, Min(ntail, 4));
			break;
		case 3:					/* a byte too few */
			memmove(data + place, data + place + 1, ntail - 1);
			result.len--;
			break;
		default:				/* some too many */
			memcpy(data + message.len, unit_bytes(8, 8).data, 8);
			result.len += 1 + unit_below(8);
	}
	return result;
}

/*
 * Bytes that begin like the message, then are made up.
 */
static TgBytes
made_up(TgBytes message)
{
	TgBytes		result = unit_bytes(0, 2 * message.len + 16);
	uint32		nkept = unit_below(Min(message.len, result.len) + 1);

	memcpy((char *) result.data, message.data, nkept);
	return result;
}

static void
check_one(CodecRun *run)
{
	StringInfoData buf;
	TgBytes		message;

	initStringInfo(&buf);
	run->codec->make(&buf);
	message = bytes_of(&buf);

	check_whole(run, message);
	check_truncated(run, message);
	for (int i = 0; i < DAMAGES_PER_ROUND; i++)
	{
		check_hostile(run, damaged(message));
		check_hostile(run, made_up(message));
	}
}

/*
 * Check all of it on so many random messages.
 */
void
unit_check_codec(const UnitCodec *codec, int rounds)
{
	CodecRun	run = {.codec = codec,.fence = create_fence()};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "codec check",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	for (int i = 0; i < rounds; i++)
	{
		CHECK_FOR_INTERRUPTS();
		check_one(&run);
		MemoryContextReset(scratch);
	}

	/* A check that sees one outcome only has checked nothing. */
	CHECK_SHOWING(run.naccepted > 0 && run.nrefused > 0, "%s", codec->name);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	drop_fence(run.fence);
}

/*
 * Check that the message has the bytes it always had.
 */
void
unit_check_pinned(const UnitPinned *pinned)
{
	StringInfoData buf;
	char	   *hex;

	initStringInfo(&buf);
	pinned->make(&buf);
	hex = as_hex(bytes_of(&buf));
	CHECK_SHOWING(strcmp(hex, pinned->hex) == 0,
				  "%s is now %s", pinned->name, hex);
}
