/*
 * tally - what the databases say about themselves, for status and metrics.
 *
 * Asked when somebody wants it and what is known is older than TALLY_FRESH_MS.  A database that
 * does not answer holds up nobody for longer than TALLY_WAIT_MS: what was known before is used
 * then.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_TALLY_H
#define MAILPUSH_DAEMON_TALLY_H

#include "daemon/core.h"

#define TALLY_FRESH_MS 1000
#define TALLY_WAIT_MS 300

struct tally_totals {
	struct registry_totals registry;
	uint64_t queue_bytes;
	int64_t queue_oldest_ms; /* Unix; 0: none */
};

struct tally;

struct tally *tally_new(struct core *core);
/* Whoever waits must be gone; jobs that are out must have come back. */
void tally_free(struct tally *tally);

struct tally_waiter {
	struct tally_waiter *next;
	void (*ready)(struct tally_waiter *waiter, const struct tally_totals *totals);
};

/* `ready` is called once, now or later. */
void tally_want(struct tally *tally, struct tally_waiter *waiter);
void tally_forget(struct tally *tally, struct tally_waiter *waiter);

#endif
