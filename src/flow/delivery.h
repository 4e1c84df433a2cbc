/*
 * delivery - a push's way out: from the queue to Apple, and what follows from the answer.
 *
 *   queue -> sender -> verdict -> queue (settled, again later) or registry (forget)
 *
 * It takes from the queue as many pushes as the sender has room for, at the end of each turn of the
 * loop in which something changed for it, and when a push falls due.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_DELIVERY_H
#define MAILPUSH_FLOW_DELIVERY_H

#include "apns/sender.h"
#include "flow/probe.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "stats/failures.h"
#include "stats/observer.h"
#include "trace/trace.h"

struct delivery;

/* All of it outlives the delivery. */
struct delivery_needs {
	uv_loop_t *loop;
	struct registry *registry;
	struct queue *queue;
	struct metrics *metrics;
	struct failures *failures;
	const struct observer *observer;
	struct trace *trace; /* NULL: off */
};

/* Makes its sender; `settings` are copied.  Fails as sender_new does. */
int delivery_new(const struct delivery_needs *needs, const struct sender_settings *settings,
	struct delivery **ret, struct err *err);
/* The sender must have stopped. */
void delivery_free(struct delivery *delivery);

/* Something may be due: look at the end of this turn. */
void delivery_wake(struct delivery *delivery);
/* The registration was made again: that its token was for another topic no longer counts. */
void delivery_renewed(struct delivery *delivery, const struct registry_key *key);
/* It is gone: nothing that Apple said of its token counts. */
void delivery_gone(struct delivery *delivery, const struct registry_key *key);
/* These are gone: as delivery_gone, and their pushes leave the queue; `waiter` may be NULL. */
void delivery_drop(struct delivery *delivery, const struct registry_key *keys, size_t count,
	struct queue_waiter *waiter);
/* No more pushes are taken from the queue. */
void delivery_stop(struct delivery *delivery);

/* All live as long as the delivery. */
struct sender *delivery_sender(const struct delivery *delivery);
struct probes *delivery_probes(const struct delivery *delivery);
struct topic_health *delivery_topics(const struct delivery *delivery);

#endif
