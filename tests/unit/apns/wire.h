/*
 * wire - connections without sockets or time, for tests of credential_connections.c and session.c
 * together.
 *
 * Linked instead of apns/connection.c: a connection is there at the end of the turn that made it,
 * and the test is its server: it takes what the client wrote and gives what it reads.  The newest
 * one is the one that the test talks to.
 */
#ifndef MAILPUSH_TESTS_APNS_WIRE_H
#define MAILPUSH_TESTS_APNS_WIRE_H

#include "apns/credential_connections.h"
#include "base/buf.h"

#include <uv.h>

struct wire {
	uv_loop_t loop;
	struct sender_settings settings;
	struct provider_list providers;
	unsigned connections;
	struct credential *credential; /* the credential's */
	struct credential_connections *conns;
};

#define WIRE_TOPIC "com.example"

/* A lane with a token key, which need not be one of Apple's. */
void wire_start(struct wire *wire, const struct sender_callbacks *callbacks, void *ctx);
/* Closes the lane, has its last answers told, and frees it. */
void wire_stop(struct wire *wire);
/* The end of a loop's turn. */
void wire_turn(struct wire *wire);
void wire_pass(struct wire *wire, int64_t ms);
/* The credential is valid no more, or again. */
void wire_expire(struct wire *wire, bool is_expired);

/* Is there one that is not closed? */
bool wire_is_open(void);
/* What the client wrote since; to be consumed. */
struct buf *wire_written(void);
/* What the server says. */
void wire_say(const void *bytes, size_t size);
/* The one longest in flight has waited too long. */
void wire_give_up_oldest(void);
void wire_break(void);

#endif
