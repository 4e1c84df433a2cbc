/*
 * audience - who looks on: `mailpushctl events --follow`, and those that wait for an answer of
 * Apple's.
 *
 * Costs one comparison while nobody does.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_AUDIENCE_H
#define MAILPUSH_DAEMON_AUDIENCE_H

#include "base/http.h"
#include "daemon/core.h"
#include "daemon/metrics.h"

#include <stdbool.h>

struct audience;

/* A push to this registration was answered; `then`: what follows, in a word or two. */
struct audience_listener {
	struct audience_listener *next;
	void (*answered)(struct audience_listener *listener, const struct registry_key *key,
		const struct apns_answer *answer, const char *then);
};

struct audience *audience_new(struct core *core);
/* After control_stop, so that no request follows any more. */
void audience_free(struct audience *audience);

void audience_listen(struct audience *audience, struct audience_listener *listener);
void audience_unlisten(struct audience *audience, struct audience_listener *listener);

/* GET /events: lines of JSON that go on. */
void audience_follow(struct core *core, struct http_request *request, const char *tail);

void audience_event(struct audience *audience, const struct mail_event *event,
	enum relay_action action, enum metrics_transport transport);
void audience_answer(struct audience *audience, const struct target *target, unsigned hash_count,
	const struct apns_answer *answer, const char *then, int64_t took_ms);

#endif
