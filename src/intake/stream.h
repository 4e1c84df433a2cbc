/*
 * stream - the socket of `notifysocket: dlist:/path`: one request a connection, acknowledged.
 *
 * Cyrus waits for our answer with its locks held (EVENTS.md 2b): `OK ()` when the event is on disk,
 * `NO "reason"` when the request is malformed or `ack_timeout` passed.  Never `OK` alone, which
 * would hang Cyrus.  It closes a connection after the answer; a connection whose request was
 * refused lingers for STREAM_LINGER_MS, so that the peer can send the rest and read why.  It
 * ignores bytes after the request, so it does not answer a second one.  It closes a peer that is
 * slow to send its request after STREAM_REQUEST_MS, or earlier, the longest silent first, when
 * connections or descriptors run out: so none holds up others.  When incomplete requests together
 * take more than STREAM_UNFINISHED_MAX of memory, it refuses the oldest.
 *
 * Most requests are complete when the connection is accepted: it reads them at once into one buffer
 * of the stream, and they cost neither memory nor a place in the loop.  Only an incomplete request
 * is kept with its connection, which the loop then watches.
 *
 * With guests (Dovecot's door) a user who is not in the rules may send too, and the notification
 * says who it is: one uid has at most STREAM_GUEST_CONNECTIONS_MAX connections, all of them half of
 * what the stream has, and where place or memory runs out they go first.  A connection that is
 * closed counts until its request is answered.
 *
 * It creates the listening socket, or the service manager passed it in (inherit.h): then it neither
 * unlinks nor empties it at the end, and the next daemon serves the connections that wait in it.
 *
 * Loop thread only.  A struct stream_request is owned by the stream until stream_answer.  From the
 * stream's own callbacks only stream_answer, stream_pause and stream_unanswered may be called.
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
#define STREAM_GUEST_CONNECTIONS_MAX 64		 /* of one uid */

struct stream;
struct stream_request;

/* Answer `request` with stream_answer, now or later, exactly once. */
typedef void stream_fn(
	void *ctx, const struct notification *notification, struct stream_request *request);
/*
 * A request that is malformed or from a peer that is not allowed; `text` says why.  `kind` is a
 * literal for limiting the log (log_seldom).
 */
typedef void stream_rejected_fn(
	void *ctx, enum notification_fault fault, const char *kind, const char *text);
/* ack_timeout passed and the peer got NO; the request still waits for stream_answer. */
typedef void stream_timed_out_fn(void *ctx, struct stream_request *request);

struct stream_callbacks {
	stream_fn *came;
	stream_rejected_fn *rejected;
	stream_timed_out_fn *timed_out;
};

struct stream_settings {
	const char *path;
	mode_t mode;
	gid_t gid;	  /* (gid_t)-1: the daemon's */
	int inherited_fd; /* listens at `path` already, is handed over; 0: none */
	bool has_guests;  /* every local user may send: see peer_guests */
	int64_t ack_timeout_ms;
	int64_t request_timeout_ms; /* 0: STREAM_REQUEST_MS */
};

/* Like datagram_new; `settings` is not kept. */
int stream_new(uv_loop_t *loop, const struct stream_settings *settings,
	const struct peer_rules *peers, const struct stream_callbacks *callbacks, void *ctx,
	struct stream **ret, struct err *err);

/*
 * `status` 0: OK () or, with a text, OK "text".  Otherwise NO "text".  The text is cut, without the
 * characters that a quoted string cannot have.  Does nothing if the peer is gone or already got NO.
 */
void stream_answer(struct stream_request *request, int status, const char *text);

/*
 * Stops accepting and reading, or continues: for overload.  No request times out meanwhile.  It has
 * no effect after stream_stop_listening.
 */
void stream_pause(struct stream *stream, bool pause);

/* The socket's file, as created; for an inherited socket, as found. */
const struct peer_file *stream_file(const struct stream *stream);
/*
 * After the file is gone: creates socket and file again, as stream_new, and takes in the
 * connections that wait in the old one (may call `came`); while paused it accepts them and reads
 * them later.  A connection without a place gets NO.  After a failure the old one stays.  -ENOTSUP:
 * the socket is inherited, so only its owner can create it.
 */
int stream_rebind(struct stream *stream, struct err *err);

/*
 * Unlinks the listener (unless the file is another one by now), takes in the connections in its
 * backlog (may call `came`) and closes it; it only closes an inherited one.  Ends a pause, so that
 * every waiting connection gets an answer: one with a request by stream_answer, one without a place
 * NO at once.  Connections stay until they are answered.
 */
void stream_stop_listening(struct stream *stream);
/* Requests that are coming or still wait for stream_answer. */
size_t stream_unanswered(const struct stream *stream);
/*
 * Closes all connections; those without a complete request get NO.  Unanswered requests must not be
 * answered any more.
 */
void stream_free(struct stream *stream);

#endif
