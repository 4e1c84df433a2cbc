/*
 * handoff - gives another program's socket one notification at a time, and never waits for it.
 *
 * The target is a path: a datagram socket, which takes one notification a datagram and never
 * answers, or one that speaks dlist, which takes one a connection and answers it.  Whoever does not
 * read, does not answer or is not there costs a timer here and nothing else.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_INTAKE_HANDOFF_H
#define MAILPUSH_INTAKE_HANDOFF_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HANDOFF_ROOM_MS 1000   /* a datagram socket whose queue is full */
#define HANDOFF_ANSWER_MS 5000 /* dlist: from connecting to the whole answer */

enum handoff_result {
	HANDOFF_PENDING,
	HANDOFF_TAKEN,
	/* It is too large, or was answered NO: it will not be taken another time either. */
	HANDOFF_REFUSED,
	/* dlist: it was sent and no answer came.  Whether it was taken is not known. */
	HANDOFF_UNANSWERED,
	/* Not taken: nobody is there, or reads.  Later perhaps. */
	HANDOFF_AWAY,
};

/* `why`: unless it was taken.  Never from within handoff_send. */
typedef void handoff_done_fn(void *ctx, enum handoff_result result, const char *why);

struct handoff_settings {
	const char *path; /* fits sun_path */
	bool is_dlist;
	int64_t room_ms;   /* 0: HANDOFF_ROOM_MS */
	int64_t answer_ms; /* 0: HANDOFF_ANSWER_MS */
};

struct handoff;

/* Opens nothing yet. */
struct handoff *handoff_new(
	uv_loop_t *loop, const struct handoff_settings *settings, handoff_done_fn *done, void *ctx);
/* One that is pending is given up without `done`. */
void handoff_free(struct handoff *handoff);

/*
 * HANDOFF_PENDING: `bytes` are borrowed, and nothing else may be sent, until `done`.  Else the
 * result, with its why in `err`.
 */
enum handoff_result handoff_send(
	struct handoff *handoff, const char *bytes, size_t size, struct err *err);

#endif
