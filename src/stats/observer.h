/*
 * observer - two callbacks through which a later stage follows events and answers.
 *
 * Without a follower they cost one comparison.  Loop thread only.
 */
#ifndef MAILPUSH_STATS_OBSERVER_H
#define MAILPUSH_STATS_OBSERVER_H

#include "apns/answer.h"
#include "apns/sender.h"
#include "event/event.h"
#include "event/relay.h"
#include "registry/push_target.h"
#include "stats/metrics.h"

struct observer {
	void *ctx;
	/* An event came in through `transport`; `action` is what it leads to. */
	void (*event)(void *ctx, const struct mail_event *event, enum relay_action action,
		enum metrics_transport transport);
	/* Apple answered a push that named `hash_count` mailboxes, `took_ms` after it was sent;
	 * `then` is what follows from the answer, in a word or two. */
	void (*answered)(void *ctx, const struct push_target *target, unsigned hash_count,
		const struct apns_answer *answer, const char *then, int64_t took_ms);
};

static inline void observer_event(const struct observer *observer, const struct mail_event *event,
	enum relay_action action, enum metrics_transport transport)
{
	if (observer->event)
		observer->event(observer->ctx, event, action, transport);
}

static inline void observer_answered(const struct observer *observer,
	const struct push_target *target, unsigned hash_count, const struct apns_answer *answer,
	const char *then, int64_t took_ms)
{
	if (observer->answered)
		observer->answered(observer->ctx, target, hash_count, answer, then, took_ms);
}

#endif
