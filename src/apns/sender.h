/*
 * sender - sends pushes to Apple: HTTP/2 connections to its push service, a set for each
 * credential.
 *
 * It keeps no queue: the caller asks sender_room how many pushes for a topic it would take, and
 * hands pushes over until one is refused.  It answers each push that it took exactly once, through
 * `answered`, with Apple's answer or another ending.  The caller acts on the verdict (verdict.h),
 * except for connections: the sender replaces them, backs off (1 s to 60 s with jitter), honours
 * GOAWAY and live SETTINGS, pings, and enforces a deadline a push (APNS.md sections 1.2 and 4).
 *
 * Memory: a credential has at most `connections` that take pushes and 64 with those that drain,
 * each with SESSION_STREAMS_MAX pushes in flight (the caller's memory) and some 200 KB of its own
 * (session.h, connection.h).  Nothing is queued here.
 *
 * Callbacks come at the end of a loop turn, never from within a function below (`state` may, from
 * sender_set_credentials and sender_hold); they may call all of them but sender_free, and `state`
 * not sender_set_credentials.  Frames are gathered over a turn and written at its end.  sender_new
 * makes the process ignore SIGPIPE, which OpenSSL needs.  Loop thread only.
 *
 * Behind it: credential_connections.h (one credential), connection.h (one connection: socket, TLS,
 * time), session.h (its HTTP/2), dialer.h, tls.h, answer.h and pool.h.
 */
#ifndef MAILPUSH_APNS_SENDER_H
#define MAILPUSH_APNS_SENDER_H

#include "apns/sender_types.h"
#include "apns/tls.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* With the defaults of sender_types.h; host, port left to the caller. */
void sender_settings_init(struct sender_settings *settings);

struct sender;

int sender_new(uv_loop_t *loop, const struct sender_settings *settings,
	const struct sender_callbacks *callbacks, void *ctx, struct sender **ret, struct err *err);
/*
 * Takes over the credentials in force from now on, at most one a topic.  An unchanged credential
 * keeps its connections; the connections of others finish the pushes in flight and close.  After
 * sender_stop it only frees them.
 */
void sender_set_credentials(struct sender *sender, struct credential **credentials, size_t count);
/*
 * Other settings, from the next connection on; those that are there finish the pushes in flight and
 * close.  `trust` (tls_trust of their ca_file) is handed over.
 */
void sender_set(struct sender *sender, const struct sender_settings *settings, X509_STORE *trust);
bool sender_has_credential(const struct sender *sender, const char *topic);

/*
 * About how many pushes on `topic` it takes now: the room within the live limits of its open
 * connections, for pushes as large as the last one.  0: no credential, one that is not valid now,
 * on hold, saturated, or not connected (then it begins to connect, unless it backs off).
 */
size_t sender_room(struct sender *sender, const char *topic);
/*
 * True: taken.  False if sender_room would return 0 now, whatever it returned before: the caller
 * keeps the push and waits for `room`.
 */
bool sender_push(struct sender *sender, struct sender_push *push);

/*
 * Apple refused the credential of this topic: all its pushes wait.  After hold_probe_ms one push
 * goes out as a probe; a 200, or any answer about that push or its token, ends the hold.  An
 * outcome that does not concern the credential (no answer, a 5xx) does not: the next probe follows
 * after the same time.
 */
void sender_hold(struct sender *sender, const char *topic, const char *why);
/*
 * On an administrator's request: each credential on hold sends a probe at once, and one that backs
 * off connects at once, but not within hurry_least_ms of the last attempt during that trouble.
 */
void sender_hurry(struct sender *sender);
/*
 * The system clock was set: each credential on hold sends a probe at once, as the wrong time may
 * have been the cause.
 */
void sender_clock_set(struct sender *sender);

void sender_each_way(const struct sender *sender,
	void (*each)(void *ctx, const struct sender_way *way), void *ctx);

struct sender_counts {
	uint64_t in_flight;
	unsigned connections;
	uint64_t sent, answered;
};
void sender_count(const struct sender *sender, struct sender_counts *ret);

/*
 * Takes no more pushes.  Calls `done` when all are answered, or after `within_ms` (then it first
 * answers pushes in flight with APNS_LOST).
 */
void sender_stop(struct sender *sender, int64_t within_ms, void (*done)(void *ctx), void *ctx);
/* After `done`.  The loop must run once more for the handles to close. */
void sender_free(struct sender *sender);

#endif
