/*
 * forward_client - sends notifications to another program's socket, one at a time, and never waits
 * for it.
 *
 * The target is a path: a datagram socket, which takes one notification a datagram and never
 * answers, or one that speaks dlist, which takes one a connection and answers it.  A target that is
 * absent, does not read or does not answer costs a timer and nothing else.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_INTAKE_FORWARD_CLIENT_H
#define MAILPUSH_INTAKE_FORWARD_CLIENT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define FORWARD_CLIENT_ROOM_MS 1000   /* a datagram socket whose queue is full */
#define FORWARD_CLIENT_ANSWER_MS 5000 /* dlist: from connecting to the whole answer */

enum forward_client_result {
	FORWARD_CLIENT_PENDING,
	FORWARD_CLIENT_TAKEN,
	/* Too large, or answered NO: another attempt would fail too. */
	FORWARD_CLIENT_REFUSED,
	/* dlist: sent, but no answer came.  The target may have taken it. */
	FORWARD_CLIENT_UNANSWERED,
	/* The target is absent or does not read.  A later attempt may succeed. */
	FORWARD_CLIENT_AWAY,
};

/* `why`: unless it was taken.  Not called from within forward_client_send. */
typedef void forward_client_done_fn(void *ctx, enum forward_client_result result, const char *why);

struct forward_client_settings {
	const char *path; /* fits sun_path */
	bool is_dlist;
	int64_t room_ms;   /* 0: FORWARD_CLIENT_ROOM_MS */
	int64_t answer_ms; /* 0: FORWARD_CLIENT_ANSWER_MS */
};

struct forward_client;

/* Opens nothing yet. */
struct forward_client *forward_client_new(uv_loop_t *loop,
	const struct forward_client_settings *settings, forward_client_done_fn *done, void *ctx);
/* Gives up a pending notification without calling `done`. */
void forward_client_free(struct forward_client *handoff);

/*
 * FORWARD_CLIENT_PENDING: until `done` the client borrows `bytes`, and the caller sends nothing
 * else.  Otherwise the result, with its reason in `err`.
 */
enum forward_client_result forward_client_send(
	struct forward_client *handoff, const char *bytes, size_t size, struct err *err);

#endif
