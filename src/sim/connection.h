/*
 * connection - one client: TLS on a socket, HTTP/2 on that, and the answers.
 *
 * TLS works on the socket itself under uv_poll, and nghttp2 gathers frames into one buffer that
 * is written 16 KB at a time, which is ten times as fast as a write a frame.  The connection's
 * receive window stays at 65 535 bytes, as Apple's does.
 *
 * A connection that the simulator ends lingers: it reads on until the client has closed too.
 * Closing with unread bytes would make the kernel reset it, and the client would never see the
 * GOAWAY or the alert.  Loop thread.
 */
#ifndef MAILPUSH_SIM_CONNECTION_H
#define MAILPUSH_SIM_CONNECTION_H

#include "sim/server_state.h"
#include "sim/stream.h"

/* Takes over an accepted non-blocking socket; the connection ends itself. */
void connection_accept(struct server *server, int fd);

/* Ends it at once; is_reset: with a TCP reset. */
void connection_close(struct connection *connection, bool is_reset);

/* Continues reading where the bound of a turn has stopped it. */
void connection_read_on(struct connection *connection);

/* Sends all that can be sent; for the end of a turn. */
void connection_flush(struct connection *connection);

/* Answers a push that has been waiting; it is no longer in the list. */
void connection_answer(struct connection *connection, struct stream *stream);

/* Whether a GOAWAY has said, or is about to say, that this stream is not processed. */
bool connection_is_beyond_goaway(const struct connection *connection, const struct stream *stream);

void connection_goaway(struct connection *connection);
/* Sends frames that the client must acknowledge, as many as behaviour says. */
void connection_flood(struct connection *connection);
void connection_announce_settings(struct connection *connection);

/* Has it flushed at the end of the turn. */
void connection_mark(struct connection *connection);

/* Does it to all of them; it must not close any. */
void connection_each(
	struct connection_list *connections, void (*function)(struct connection *connection));

#endif
