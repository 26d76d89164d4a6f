/*-------------------------------------------------------------------------
 *
 * src/transport/vote.c
 *	  What proposer and voter of a view say to each other, and its bytes.  Pure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "transport/vote.h"

/*
 * Append a request.
 */
void
tg_vote_write_request(StringInfo buf, const TgVoteRequest *request)
{
	tg_wire_write_sign(buf, request->kind);
	tg_wire_write_speaker(buf, &request->asker);
	tg_write_u64(buf, request->ballot);
	tg_write_u16(buf, request->suspect);
	tg_write_counted(buf, request->base.data, request->base.len);
	if (request->kind == TG_MESSAGE_ACCEPT)
		tg_write_counted(buf, request->value.data, request->value.len);
}

/*
 * Read a request of this kind.  It must be all that the reader holds.
 */
bool
tg_vote_read_request(TgReader *reader, TgMessageKind kind, TgVoteRequest *request)
{
	memset(request, 0, sizeof(*request));
	tg_wire_read_sign(reader, kind);
	request->kind = kind;
	request->asker = tg_wire_read_speaker(reader);
	request->ballot = tg_read_u64(reader);
	request->suspect = tg_read_u16(reader);
	request->base = tg_read_counted(reader);
	if (kind == TG_MESSAGE_ACCEPT)
		request->value = tg_read_counted(reader);
	if (request->ballot == 0 || request->suspect > TG_MAX_NODE || request->base.len == 0 ||
		(kind == TG_MESSAGE_ACCEPT && request->value.len == 0))
		tg_reader_fail(reader);
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}

/*
 * Append an answer.
 */
void
tg_vote_write_answer(StringInfo buf, const TgVoteAnswer *answer)
{
	tg_wire_write_sign(buf, TG_MESSAGE_VOTE_ANSWER);
	tg_write_u16(buf, answer->sender);
	tg_write_u8(buf, answer->status);
	tg_write_u64(buf, answer->promised);
	tg_write_u64(buf, answer->accepted);
	tg_write_counted(buf, answer->value.data, answer->value.len);
	tg_write_counted(buf, answer->view.data, answer->view.len);
}

/*
 * Read an answer.  It must be all that the reader holds.
 */
bool
tg_vote_read_answer(TgReader *reader, TgVoteAnswer *answer)
{
	uint8		status;

	memset(answer, 0, sizeof(*answer));
	tg_wire_read_sign(reader, TG_MESSAGE_VOTE_ANSWER);
	answer->sender = tg_wire_read_node(reader);
	status = tg_read_u8(reader);
	answer->promised = tg_read_u64(reader);
	answer->accepted = tg_read_u64(reader);
	answer->value = tg_read_counted(reader);
	answer->view = tg_read_counted(reader);
	if (status > TG_VOTE_UNSUSPECTED || (answer->accepted == 0) != (answer->value.len == 0) ||
		(status == TG_VOTE_STALE) != (answer->view.len > 0))
		tg_reader_fail(reader);
	answer->status = status;
	return tg_reader_ok(reader) && tg_reader_at_end(reader);
}
