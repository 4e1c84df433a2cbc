/*
 * summary - what the databases say about themselves, for status and metrics.
 *
 * Asked when somebody wants it and what is known is older than SUMMARY_FRESH_MS.  A database that
 * does not answer holds up nobody for longer than SUMMARY_WAIT_MS: what was known before is used
 * then.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_SUMMARY_H
#define MAILPUSH_DAEMON_SUMMARY_H

#include "daemon/core.h"

#define SUMMARY_FRESH_MS 1000
#define SUMMARY_WAIT_MS 300

struct summary_totals {
	struct registry_totals registry;
	uint64_t queue_bytes;
	int64_t queue_oldest_ms; /* Unix; 0: none */
};

struct summary;

struct summary *summary_new(struct core *core);
/* Whoever waits must be gone; jobs that are out must have come back. */
void summary_free(struct summary *summary);

struct summary_waiter {
	struct summary_waiter *next;
	void (*ready)(struct summary_waiter *waiter, const struct summary_totals *totals);
};

/* `ready` is called once, now or later. */
void summary_want(struct summary *summary, struct summary_waiter *waiter);
void summary_forget(struct summary *summary, struct summary_waiter *waiter);

#endif
