/*
 * watch - who looks on: `mailpushctl events --follow`, and those that wait for an answer of
 * Apple's.
 *
 * Costs one comparison while nobody does.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_WATCH_H
#define MAILPUSH_DAEMON_WATCH_H

#include "base/http.h"
#include "daemon/core.h"
#include "daemon/metrics.h"

#include <stdbool.h>

struct watch;

/* A push to this registration was answered; `then`: what follows, in a word or two. */
struct watch_listener {
	struct watch_listener *next;
	void (*answered)(struct watch_listener *listener, const struct registry_key *key,
		const struct apns_answer *answer, const char *then);
};

struct watch *watch_new(struct core *core);
/* After control_stop, so that no request follows any more. */
void watch_free(struct watch *watch);

void watch_listen(struct watch *watch, struct watch_listener *listener);
void watch_unlisten(struct watch *watch, struct watch_listener *listener);

/* GET /events: lines of JSON that go on. */
void watch_follow(struct core *core, struct http_request *request, const char *tail);

void watch_event(struct watch *watch, const struct mail_event *event, enum relay_action action,
	enum metrics_transport transport);
void watch_answer(struct watch *watch, const struct target *target, unsigned hash_count,
	const struct apns_answer *answer, const char *then, int64_t took_ms);

#endif
