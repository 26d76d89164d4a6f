/*-------------------------------------------------------------------------
 *
 * src/transport/wire_pulse.c
 *	  The heartbeat message and its bytes.  Pure.
 *
 * See transport/wire.c for what holds for all messages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/wire_part.h"
#include "transport/wire_pulse.h"

static void
write_suspects(StringInfo buf, const TgPulse *pulse)
{
	tg_write_u16(buf, pulse->nsuspects);
	for (int i = 0; i < pulse->nsuspects; i++)
		tg_write_u16(buf, pulse->suspects[i]);
}

static void
read_suspects(TgReader *reader, TgPulse *pulse)
{
	TgNodeId	previous = 0;

	pulse->nsuspects = tg_read_u16(reader);
	if (pulse->nsuspects > TG_PULSE_MAX_SUSPECTS)
	{
		pulse->nsuspects = 0;
		tg_reader_fail(reader);
	}
	for (int i = 0; i < pulse->nsuspects; i++)
	{
		pulse->suspects[i] = tg_wire_read_node(reader);
		if (pulse->suspects[i] <= previous)
			tg_reader_fail(reader);
		previous = pulse->suspects[i];
	}
}

static void
write_ancestors(StringInfo buf, const TgPulse *pulse)
{
	tg_write_u16(buf, pulse->nancestors);
	for (int i = 0; i < pulse->nancestors; i++)
		tg_wire_write_incarnation(buf, pulse->ancestors[i]);
}

static void
read_ancestors(TgReader *reader, TgPulse *pulse)
{
	uint32		previous = pulse->incarnation.counter;

	pulse->nancestors = tg_read_u16(reader);
	if (pulse->nancestors > TG_PULSE_MAX_ANCESTORS)
	{
		pulse->nancestors = 0;
		tg_reader_fail(reader);
	}
	for (int i = 0; i < pulse->nancestors; i++)
	{
		pulse->ancestors[i] = tg_wire_read_incarnation(reader);
		if (pulse->ancestors[i].counter == 0 || pulse->ancestors[i].counter >= previous)
			tg_reader_fail(reader);
		previous = pulse->ancestors[i].counter;
	}
}

/*
 * Append a pulse.
 */
void
tg_wire_write_pulse(StringInfo buf, const TgPulse *pulse)
{
	tg_wire_write_sign(buf, TG_MESSAGE_PULSE);
	tg_write_u16(buf, pulse->sender);
	tg_write_u64(buf, pulse->epoch);
	tg_write_u64(buf, pulse->view_id);
	tg_wire_write_incarnation(buf, pulse->incarnation);
	tg_write_u64(buf, pulse->ceiling);
	tg_write_u64(buf, pulse->clock);
	tg_write_u64(buf, (uint64) pulse->wall_us);
	write_suspects(buf, pulse);
	write_ancestors(buf, pulse);
}

/*
 * Read a pulse.  It must be all that the reader holds.
 */
bool
tg_wire_read_pulse(TgReader *reader, TgPulse *pulse)
{
	tg_wire_read_sign(reader, TG_MESSAGE_PULSE);
	pulse->sender = tg_wire_read_node(reader);
	pulse->epoch = tg_read_u64(reader);
	pulse->view_id = tg_read_u64(reader);
	pulse->incarnation = tg_wire_read_incarnation(reader);
	pulse->ceiling = tg_read_u64(reader);
	pulse->clock = tg_read_u64(reader);
	pulse->wall_us = (int64) tg_read_u64(reader);
	read_suspects(reader, pulse);
	read_ancestors(reader, pulse);
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}
