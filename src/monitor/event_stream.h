/*
 * event_stream - clients that follow the events (`mailpushctl events --follow`), and commands that
 * wait for an answer of Apple.
 *
 * It is the observer of flow/.  Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_EVENT_STREAM_H
#define MAILPUSH_MONITOR_EVENT_STREAM_H

#include "loop/http.h"
#include "monitor/services.h"
#include "stats/metrics.h"
#include "stats/observer.h"

#include <stdbool.h>
#include <sys/queue.h>

struct event_stream;

/* Apple answered a push to this registration; `then`: what follows, in a word or two. */
struct event_stream_listener {
	LIST_ENTRY(event_stream_listener) place;
	void (*answered)(struct event_stream_listener *listener, const struct registry_key *key,
		const struct apns_answer *answer, const char *then);
};

struct event_stream *event_stream_new(uv_loop_t *loop, struct observer *observer);
/* After control_stop, which ends the requests that follow. */
void event_stream_free(struct event_stream *stream);

void event_stream_listen(struct event_stream *stream, struct event_stream_listener *listener);
/* A listener may end its own listening while it is called. */
void event_stream_unlisten(struct event_stream_listener *listener);

/* GET /events: lines of JSON without end. */
void event_stream_follow(
	const struct services *services, struct http_request *request, const char *tail);

#endif
