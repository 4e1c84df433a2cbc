/*
 * session - HTTP/2 with Apple's service on one connection: bytes in, bytes out, pushes answered.
 *
 * No socket, no TLS, no clock: connection.c has those.  It obeys everything that the peer may
 * demand: its live limit of streams (one until its first SETTINGS), its windows, GOAWAY,
 * REFUSED_STREAM.  Frames are gathered: session_gather appends as many as there are, because a TLS
 * record a frame costs ten times the CPU (APNS.md section 2).
 *
 * Each push given to session_push comes back exactly once, through session_take_finished, with its
 * answer.
 *
 * Memory that the peer can cause is bounded: SESSION_STREAMS_MAX pushes (the caller's memory), the
 * part of an answer's body that fits into sender_push (a longer one is cut and its stream reset),
 * one header block (nghttp2: 64 KB, 8 CONTINUATION frames), 1000 unsent acknowledgements of its
 * PING and SETTINGS (more end the session), and frames of 16 KB.  Pushed streams are refused.  Loop
 * thread.
 */
#ifndef MAILPUSH_APNS_SESSION_H
#define MAILPUSH_APNS_SESSION_H

#include "apns/sender_types.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In flight on one connection, whatever the peer allows. */
#define SESSION_STREAMS_MAX 2000

struct session;

struct session_goaway {
	uint32_t error_code;
	char reason[VERDICT_REASON_MAX]; /* of the JSON that may come with it; "": none */
};

/* `authority` is borrowed; `priority` 0: no apns-priority. */
struct session *session_new(const char *authority, int priority);
/* Before the first push: the id of its stream, odd; for tests of what happens when ids run out. */
void session_begin_at(struct session *session, int32_t stream_id);
void session_free(struct session *session);

/* Takes bytes from the peer.  -EPROTO: it does not speak HTTP/2; close the connection. */
int session_receive(struct session *session, const uint8_t *bytes, size_t size, struct err *err);
/* Appends frames to send until out->used is at least `enough` or none is left. */
int session_gather(struct session *session, struct buf *out, size_t enough, struct err *err);
/* The session has ended: the peer broke the protocol, and got an error. */
bool session_is_over(const struct session *session);

/* The peer acknowledged our SETTINGS: it took our certificate and speaks HTTP/2. */
bool session_is_acknowledged(const struct session *session);
/* NULL: none came. */
const struct session_goaway *session_goaway(const struct session *session);

/* How many may be in flight now / how many more pushes it takes. */
size_t session_limit(const struct session *session);
size_t session_room(const struct session *session);
size_t session_in_flight(const struct session *session);
/* The peer refuses even a single stream at a time. */
bool session_is_refusing(const struct session *session);
/* No stream ids are left, or soon will not be. */
bool session_is_worn(const struct session *session);

void session_push(struct session *session, struct sender_push *push);
/* The one longest in flight, or NULL. */
struct sender_push *session_oldest(const struct session *session);
/* Gives a push up and resets its stream; its ending is `ending`, unless its answer is complete. */
void session_give_up(struct session *session, struct sender_push *push, enum apns_ending ending);
/*
 * Nothing is received or sent after this: pushes in flight are finished as APNS_LOST, or as
 * answered if their answer is complete.
 */
void session_lose(struct session *session);
struct sender_push *session_take_finished(struct session *session); /* NULL: none */
/* session_gather finishes pushes too: a stream that we reset ends when the reset is written. */
bool session_has_finished(const struct session *session);

void session_ping(struct session *session);
/* Sends GOAWAY; pushes in flight go on. */
void session_leave(struct session *session);

#endif
