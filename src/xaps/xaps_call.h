/*
 * xaps_call - a request of Dovecot's plugin for xapsd on its way, until it is answered.
 *
 * It becomes an event like Cyrus' own (arrivals.h), and is answered when that is on disk.  If the
 * registry is away, that is so after PARKING_AFTER_MS, as the event is parked; so mail servers
 * never wait for a registry.  News for nobody is answered by whether its user has a registration at
 * all, which is one more question to the registry; when that gives no answer in time, the user
 * counts as known.  After ack_timeout the answer is XAPS_CALL_FAILED, and the event goes on all the
 * same.
 *
 * A client that got no answer sends its request again.  That pushes nothing twice: a push leaves
 * only when its event is on disk, and then the answer has been given; until then the two are one.
 * The exception is an answer that is lost on its way.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_XAPS_XAPS_CALL_H
#define MAILPUSH_XAPS_XAPS_CALL_H

#include "arrival/arrivals.h"
#include "xaps/xaps_request.h"

#include <stdbool.h>

enum xaps_call_answer {
	XAPS_CALL_TAKEN,     /* what follows is on disk */
	XAPS_CALL_NO_DEVICE, /* the user is known, but nothing subscribed to the mailbox */
	XAPS_CALL_NO_USER,   /* the user has no registration */
	XAPS_CALL_BAD,	     /* not as it is; the log says why */
	XAPS_CALL_FAILED,    /* not now */
};

/* All of it outlives the calls. */
struct xaps_calls_needs {
	uv_loop_t *loop;
	const struct config *config;
	const struct input_files *input_files;
	struct arrivals *arrivals;
	struct registry *registry;
	struct xaps_topics topics;
};

struct xaps_calls;
struct xaps_call;

struct xaps_calls *xaps_calls_new(const struct xaps_calls_needs *needs);
/* After the registry and the queue have given back their jobs. */
void xaps_calls_free(struct xaps_calls *calls);
/* As of the needs. */
const struct xaps_topics *xaps_calls_topics(const struct xaps_calls *calls);
/* Too much waits (arrivals.h), or no longer: meanwhile new ones fail at once. */
void xaps_calls_pause(struct xaps_calls *calls, bool is_paused);
/* New ones fail from now on. */
void xaps_calls_stop(struct xaps_calls *calls);

/* `topic`: the answer to a phone that has registered, else "". */
typedef void xaps_call_answered_fn(void *ctx, enum xaps_call_answer answer, const char *topic);

/*
 * Takes what `request` holds.  Calls `answered` once, perhaps before it returns; then it returns
 * NULL, else what xaps_call_forget takes.
 */
struct xaps_call *xaps_call(struct xaps_calls *calls, struct xaps_request *request,
	xaps_call_answered_fn *answered, void *ctx);
/* Its client is gone: nobody waits for the answer. */
void xaps_call_forget(struct xaps_call *call);

#endif
