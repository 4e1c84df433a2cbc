/*
 * sender - tells Apple: HTTP/2 connections to its push service, one set a credential.
 *
 * It keeps no queue: who has pushes asks sender_room about how many it would take for a topic, and
 * hands them over until one is not taken.  Each push taken is answered exactly once, through
 * `answered`, with Apple's answer or how it ended otherwise; what follows from that (verdict.h) is
 * the caller's business, except what concerns connections: the sender replaces them, backs off (1 s
 * to 60 s with jitter), honours GOAWAY and live SETTINGS, pings, and enforces a deadline a push
 * (APNS.md sections 1.2 and 4).
 *
 * Memory: a credential has at most `connections` that take pushes and 64 with those that drain,
 * each with SESSION_STREAMS_MAX pushes in flight (the caller's memory) and some 200 KB of its own
 * (session.h, connection.h).  Nothing is queued here.
 *
 * Callbacks come at the end of a loop turn, never from within a function below (`state` may, from
 * sender_set_credentials and sender_hold); they may call all of them but sender_free, and `state`
 * not sender_set_credentials.  Frames are gathered over a turn and written at its end.  SIGPIPE is
 * ignored from sender_new on, as OpenSSL cannot do without.  Loop thread only.
 *
 * Behind it: credential_connections.h (one credential), connection.h (one connection: socket, TLS,
 * time), session.h (its HTTP/2), dialer.h, tls.h, answer.h, backoff.h and pool.h.
 */
#ifndef MAILPUSH_APNS_SENDER_H
#define MAILPUSH_APNS_SENDER_H

#include "apns/credential.h"
#include "apns/payload.h"
#include "apns/verdict.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct sender_settings {
	const char *host; /* api.push.apple.com */
	uint16_t port;
	const char *ca_file;	  /* NULL: the system's store */
	unsigned connections;	  /* at most, a credential */
	int priority;		  /* apns-priority; 0: header left out */
	int64_t push_deadline_ms; /* 20 s */
	int64_t ping_silence_ms;  /* PING after this silence with pushes outstanding: 15 s */
	int64_t ping_idle_ms;	  /* PING when idle this long: 5 min */
	int64_t ping_doubt_ms;	  /* a push after this silence takes a PING along: 1 min */
	int64_t ping_timeout_ms;  /* without any sign of life after a PING it is dead: 5 s */
	int64_t next_address_ms;  /* the next address beside one that does not answer: 2 s */
	/* Until HTTP/2 works, from when the last of the addresses was tried: 15 s. */
	int64_t connect_timeout_ms;
	int64_t backoff_min_ms; /* 1 s */
	int64_t backoff_max_ms; /* 60 s */
	int64_t hold_probe_ms;	/* how often a held credential is tried: 5 min */
	int64_t hurry_least_ms; /* and at least so long after the last time on request: 10 s */
	int64_t outage_ms;	/* pushes that only fail for so long are a trouble: 5 min */
	int64_t proven_ms;	/* a 200 proves credential and host for so long: 24 h */
	int64_t token_renew_ms; /* a provider token is made anew after: 50 min */
	int64_t token_least_ms; /* and never sooner than: 20 min */
	const char *proxy_host; /* an HTTP proxy that is asked for a tunnel; NULL: none */
	uint16_t proxy_port;
	const char *proxy_login; /* "user:password"; NULL: none */
	int32_t first_stream_id; /* for tests; 0: the usual one */
};

/* With the defaults above; host, port left to the caller. */
void sender_settings_init(struct sender_settings *settings);

/* The caller's until `answered`; all pointers stay valid till then. */
struct sender_push {
	const char *topic;
	const char *token;
	uint8_t apns_id[16];
	int64_t expiration_unix_s;
	const char *payload; /* not copied */
	size_t payload_size; /* at most PAYLOAD_MAX */
	bool is_check;	     /* to nobody's token: it tells no phone anything */

	int64_t sent_ms; /* filled by the sender, monotonic */
	void *ctx;	 /* the caller's */
	/* Private to the sender. */
	void *connection;
	const char *authorization; /* NULL: the connection's certificate says who we are */
	unsigned provider_number;  /* of the provider token in it */
	struct sender_push *previous, *next;
	size_t payload_sent;
	int32_t stream_id;
	bool is_complete; /* the whole answer is here */
	bool is_cut;	  /* the body is longer than `body` */
	struct apns_answer answer;
	char body[512];
	size_t body_size;
};

typedef void sender_answered_fn(
	void *ctx, struct sender_push *push, const struct apns_answer *answer, bool is_proven);
/* There is room for `topic` again, after sender_room said 0 or a push was not taken. */
typedef void sender_room_fn(void *ctx, const char *topic);
/*
 * The state of the way to Apple with this credential changed: text NULL: it works; else why not.
 * For alarms; said once a change.  The trouble of a credential that is no more in force, or has a
 * new certificate, is said to be over; not so when the sender stops.
 */
typedef void sender_state_fn(void *ctx, const struct credential *credential, const char *text);

struct sender_callbacks {
	sender_answered_fn *answered;
	sender_room_fn *room;
	sender_state_fn *state;
};

struct sender;

int sender_new(uv_loop_t *loop, const struct sender_settings *settings,
	const struct sender_callbacks *callbacks, void *ctx, struct sender **ret, struct err *err);
/*
 * The credentials in force from now on, handed over, at most one a topic.  One that is the same as
 * before keeps its connections; those of others finish what they have and close.  After
 * sender_stop they are only freed.
 */
void sender_set_credentials(struct sender *sender, struct credential **credentials, size_t count);
bool sender_has_credential(const struct sender *sender, const char *topic);

/*
 * About how many pushes on `topic` it takes now: what the live limits of its open connections leave
 * if they are as large as the last one was.  0: no credential, one that is not valid now, on hold,
 * saturated, or not connected (then it begins to connect, unless it backs off).
 */
size_t sender_room(struct sender *sender, const char *topic);
/*
 * Is it taken?  Not so when sender_room would say 0 now, whatever it said before: then it is the
 * caller's as before, and stays where it waited until `room`.
 */
bool sender_push(struct sender *sender, struct sender_push *push);

/*
 * All pushes of this topic's credential wait: its credential was refused.  After hold_probe_ms one
 * push is let through; a 200, or any answer about that push or its token, ends the hold.  What says
 * nothing about the credential (no answer, a 5xx) does not: another is let through as much later.
 */
void sender_hold(struct sender *sender, const char *topic, const char *why);
/*
 * Somebody asks for it: each credential on hold lets one push through at once, and one that backs
 * off connects at once; but hurry_least_ms after the last attempt in that trouble at the soonest.
 */
void sender_hurry(struct sender *sender);
/* The wall clock was set: what was refused by the former time, each hold finds out at once. */
void sender_clock_set(struct sender *sender);

/* For people: one credential in force and its connections; all borrowed. */
struct sender_link {
	const char *state; /* "connecting", "open", "draining", "closed" */
	const char *address;
	size_t in_flight;
	size_t limit; /* of streams */
};
struct sender_way {
	const struct credential *credential;
	const char *trouble; /* NULL: it works, or was not tried yet */
	bool is_held;
	int64_t held_ms;   /* for so long; 0: it is not */
	int64_t try_in_ms; /* no connection is begun and, on hold, no push let through before */
	int64_t served_ms; /* so long ago Apple judged a push that was no check; -1: never */
	const struct sender_link *links;
	size_t link_count;
};
void sender_each_way(const struct sender *sender,
	void (*each)(void *ctx, const struct sender_way *way), void *ctx);

struct sender_counts {
	uint64_t in_flight;
	unsigned connections;
	uint64_t sent, answered;
};
void sender_count(const struct sender *sender, struct sender_counts *ret);

/*
 * No more pushes are taken; `done` is called when all answers are here, or after `within_ms` (what
 * is still out then is answered APNS_LOST first).
 */
void sender_stop(struct sender *sender, int64_t within_ms, void (*done)(void *ctx), void *ctx);
/* After `done`.  The loop must run once more for the handles to close. */
void sender_free(struct sender *sender);

#endif
