/*
 * stream - the socket of `notifysocket: dlist:/path`: one request a connection, acknowledged.
 *
 * Cyrus waits for our answer with its locks held (EVENTS.md 2b): `OK ()` when the event is on disk,
 * `NO "reason"` when the request is malformed or `ack_timeout` passed.  Never `OK` alone, which
 * would hang Cyrus.  A connection is closed once it is answered; one whose request was refused
 * lingers for STREAM_LINGER_MS, so that the peer can send the rest and read why.  What follows
 * the request is ignored: a second one is not answered.  A peer that is slow to send its request is
 * closed after STREAM_REQUEST_MS, and before that, the longest silent first, when connections or
 * descriptors run out: none holds up others.  Nor can they fill the memory together: when more than
 * STREAM_UNFINISHED_MAX is kept of requests that are not whole, the one that has been coming for
 * longest is refused.
 *
 * Most requests are there whole when the connection is accepted: they are read at once into one
 * buffer of the stream's and cost neither memory nor a place in the loop.  Only what came in
 * part is kept with its connection and watched.
 *
 * The listening socket is made here, or was passed in by whoever started us (inherit.h): then it is
 * neither unlinked nor emptied at the end, and who waits in it is served by the next daemon.
 *
 * Loop thread only.  A struct stream_request is owned by the stream until stream_answer.  No
 * function here may be called from that stream's own callbacks save stream_answer, stream_pause
 * and stream_unanswered.
 */
#ifndef MAILPUSH_INTAKE_STREAM_H
#define MAILPUSH_INTAKE_STREAM_H

#include "base/err.h"
#include "intake/notification.h"
#include "intake/peer.h"

#include <sys/stat.h>
#include <uv.h>

#define STREAM_REQUEST_MS 10000 /* from accept to the whole request */
#define STREAM_LINGER_MS 1000	/* after a refusal */
/* Or half of the descriptors allowed, if that is less; see above. */
#define STREAM_CONNECTIONS_MAX 4096
#define STREAM_UNFINISHED_MAX (64 * 1024 * 1024) /* bytes */

struct stream;
struct stream_request;

/* Answer `request` with stream_answer, now or later, exactly once. */
typedef void stream_fn(
	void *ctx, const struct notification *notification, struct stream_request *request);
/* A request that is none, or from a peer not allowed; `text` says why.
   `kind`, a literal: what happens often is told by it (log_seldom). */
typedef void stream_rejected_fn(void *ctx, const char *kind, const char *text);
/* ack_timeout passed and the peer was told NO; the request still waits for stream_answer. */
typedef void stream_timed_out_fn(void *ctx, struct stream_request *request);

struct stream_callbacks {
	stream_fn *came;
	stream_rejected_fn *rejected;
	stream_timed_out_fn *timed_out;
};

struct stream_settings {
	const char *path;
	mode_t mode;
	gid_t gid;	  /* (gid_t)-1: ours */
	int inherited_fd; /* listens at `path` already, is handed over; 0: none */
	int64_t ack_timeout_ms;
	int64_t request_timeout_ms; /* 0: STREAM_REQUEST_MS */
};

/* Like datagram_new; `settings` is not kept. */
int stream_new(uv_loop_t *loop, const struct stream_settings *settings,
	const struct peer_rules *peers, const struct stream_callbacks *callbacks, void *ctx,
	struct stream **ret, struct err *err);

/*
 * `reason` NULL: OK ().  Else NO "reason", cut and with what cannot stand in a quoted string
 * replaced.  The peer may be gone or told NO already: then nothing.
 */
void stream_answer(struct stream_request *request, const char *reason);

/*
 * Stops (or goes on) accepting and reading: overload.  No request times out meanwhile.  Without
 * effect after stream_stop_listening.
 */
void stream_pause(struct stream *stream, bool pause);

/* The socket's file, as it was made; of an inherited one, as it was found. */
const struct peer_file *stream_file(const struct stream *stream);
/*
 * The file is gone: makes socket and file anew, as stream_new, and takes in who waits in the old
 * one (`came` may be called); while paused they are accepted and read later.  Whoever finds no
 * place is answered NO.  When that fails, the old one stays.  -ENOTSUP for an inherited socket,
 * which only its owner can make.
 */
int stream_rebind(struct stream *stream, struct err *err);

/*
 * Unlinks the listener (unless the file is another one by now), takes in who already waits in its
 * backlog (`came` may be called) and closes it; an inherited one is only closed.  What was paused
 * goes on, so that each who waits is answered: those with a request by stream_answer, those for
 * whom there is no place NO at once.  Connections stay until they are answered.
 */
void stream_stop_listening(struct stream *stream);
/* Requests that are coming or still wait for stream_answer. */
size_t stream_unanswered(const struct stream *stream);
/*
 * Closes all; those whose request has not come are answered NO, and requests not yet answered must
 * not be answered any more.
 */
void stream_free(struct stream *stream);

#endif
