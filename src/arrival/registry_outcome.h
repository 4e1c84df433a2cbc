/*
 * registry_outcome - what follows from the registry's answer to an event, in the queue, the log,
 * the trace and the counters.
 *
 * News goes to subscribers who may read the mailbox, by the event's own ACL.  A new registration,
 * or one whose list changed, gets one deferred push: it covers mail that came between login and
 * registration, and proves the token.  Registrations that are gone leave the queue.
 *
 * Loop thread only.  Keeps nothing.
 */
#ifndef MAILPUSH_ARRIVAL_REGISTRY_OUTCOME_H
#define MAILPUSH_ARRIVAL_REGISTRY_OUTCOME_H

#include "config/config.h"
#include "event/relay.h"
#include "queue/queue.h"
#include "registry/registry_job.h"
#include "stats/metrics.h"
#include "stats/topic_health.h"
#include "trace/trace.h"

struct registry_outcome_needs {
	const struct config *config;
	struct queue *queue;
	struct topic_health *topics;
	struct metrics *metrics;
	struct trace *trace;
};

/*
 * `job` was done (status 0) for an event that leads to `action`; targets of its matches are taken
 * out of it.  `waiter` waits for all that is stored.
 */
void registry_outcome_follow(const struct registry_outcome_needs *needs, enum relay_action action,
	struct registry_job *job, struct queue_waiter *waiter);

#endif
