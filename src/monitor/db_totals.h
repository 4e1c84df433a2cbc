/*
 * db_totals - what the databases say about themselves, for status and metrics.
 *
 * Asked when somebody wants it and what is known is older than DB_TOTALS_FRESH_MS.  A database that
 * does not answer holds up nobody for longer than DB_TOTALS_WAIT_MS: what was known before is used
 * then.  Loop thread only.
 */
#ifndef MAILPUSH_MONITOR_DB_TOTALS_H
#define MAILPUSH_MONITOR_DB_TOTALS_H

#include "monitor/services.h"

#define DB_TOTALS_FRESH_MS 1000
#define DB_TOTALS_WAIT_MS 300

struct db_totals_values {
	struct registry_totals registry;
	uint64_t queue_bytes;
	int64_t queue_oldest_ms; /* Unix; 0: none */
};

struct db_totals;

struct db_totals *db_totals_new(const struct services *services);
/* Whoever waits must be gone; jobs that are out must have come back. */
void db_totals_free(struct db_totals *db_totals);

struct db_totals_waiter {
	struct db_totals_waiter *next;
	void (*ready)(struct db_totals_waiter *waiter, const struct db_totals_values *totals);
};

/* `ready` is called once, now or later. */
void db_totals_want(struct db_totals *db_totals, struct db_totals_waiter *waiter);
void db_totals_forget(struct db_totals *db_totals, struct db_totals_waiter *waiter);

#endif
