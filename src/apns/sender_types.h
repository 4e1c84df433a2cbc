/*
 * sender_types - the structs of sender.h, for it and the modules behind it.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_APNS_SENDER_TYPES_H
#define MAILPUSH_APNS_SENDER_TYPES_H

#include "apns/payload.h"
#include "apns/verdict.h"
#include "credential/credential.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

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
	int64_t ping_timeout_ms;  /* without an answer to a PING the connection is dead: 5 s */
	int64_t next_address_ms;  /* tries the next address beside one that does not answer: 2 s */
	/* Until HTTP/2 works, from when the last of the addresses was tried: 15 s. */
	int64_t connect_timeout_ms;
	int64_t backoff_min_ms; /* 1 s */
	int64_t backoff_max_ms; /* 60 s */
	int64_t hold_probe_ms;	/* how often a held credential is tried: 5 min */
	int64_t hurry_least_ms; /* least time between two attempts on request: 10 s */
	int64_t outage_ms;	/* a trouble begins if all pushes fail for this long: 5 min */
	int64_t proven_ms;	/* a 200 proves credential and host for this long: 24 h */
	int64_t token_renew_ms; /* a provider token is replaced after: 50 min */
	int64_t token_least_ms; /* and never sooner than: 20 min */
	const char *proxy_host; /* the HTTP proxy for the tunnel; NULL: none */
	uint16_t proxy_port;
	const char *proxy_login; /* "user:password"; NULL: none */
	int32_t first_stream_id; /* for tests; 0: the usual one */
};

/* Owned by the caller; it and all its pointers stay valid until `answered`. */
struct sender_push {
	const char *topic;
	const char *token;
	uint8_t apns_id[16];
	int64_t expiration_unix_s;
	const char *payload;  /* not copied */
	size_t payload_size;  /* at most PAYLOAD_MAX */
	bool is_check;	      /* a check: its token belongs to no phone */
	int64_t sent_unix_ms; /* for the verdict */
	unsigned attempts;    /* how often it has failed before */

	int64_t sent_ms; /* filled by the sender, monotonic */
	void *ctx;	 /* the caller's */
	/* Private to the sender. */
	void *connection;
	const char *authorization;	/* NULL: the connection's certificate says who we are */
	unsigned provider_number;	/* of the provider token in it */
	TAILQ_ENTRY(sender_push) place; /* in flight, or finished */
	size_t payload_sent;
	int32_t stream_id;
	bool is_complete; /* the answer is complete */
	bool is_cut;	  /* the body is longer than `body` */
	struct apns_answer answer;
	char body[512];
	size_t body_size;
};

/* `verdict`: what the answer means; valid during the call, like `answer`. */
typedef void sender_answered_fn(void *ctx, struct sender_push *push,
	const struct apns_answer *answer, const struct verdict *verdict);
/* There is room for `topic` again, after sender_room returned 0 or a push was refused. */
typedef void sender_room_fn(void *ctx, const char *topic);
/*
 * The state of this credential's connections changed.  text NULL: they work; else why not.  For
 * alarms; called once a change.  When a credential is no longer in force or has a new certificate,
 * its trouble is reported as over, except when the sender stops.
 */
typedef void sender_state_fn(void *ctx, const struct credential *credential, const char *text);

struct sender_callbacks {
	sender_answered_fn *answered;
	sender_room_fn *room;
	sender_state_fn *state;
};

/* For people: one credential in force and its connections; all borrowed. */
struct sender_link {
	const char *state; /* "connecting", "open", "draining", "closed" */
	const char *address;
	size_t in_flight;
	size_t limit; /* of streams */
};
struct sender_way {
	const struct credential *credential;
	const char *trouble; /* why no push leaves, as its dates; NULL: works, or not tried yet */
	bool is_held;
	int64_t held_ms; /* for this long; 0: not on hold */
	/* The earliest time for a connection or, on hold, a probe; -1: it is out of its dates. */
	int64_t try_in_ms;
	int64_t served_ms; /* time since Apple judged a push other than a check; -1: never */
	const struct sender_link *links;
	size_t link_count;
};

#endif
