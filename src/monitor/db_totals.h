/*
 * db_totals - sizes and counts of the databases, for status and metrics.
 *
 * It asks the databases on demand, when its values are older than DB_TOTALS_FRESH_MS.  If a
 * database does not answer within DB_TOTALS_WAIT_MS, requests get the last known values.  Loop
 * thread only.
 */
#ifndef MAILPUSH_MONITOR_DB_TOTALS_H
#define MAILPUSH_MONITOR_DB_TOTALS_H

#include "monitor/services.h"

#include <sys/queue.h>

#define DB_TOTALS_FRESH_MS 1000
#define DB_TOTALS_WAIT_MS 300

struct db_totals_values {
	bool knows_registry; /* it has answered since the start; false: the values are 0 */
	bool knows_queue;
	struct registry_totals registry;
	uint64_t queue_bytes;
	int64_t queue_oldest_ms; /* Unix; 0: none */
};

struct db_totals;

struct db_totals *db_totals_new(const struct services *services);
/* Nobody may wait any more, and all jobs must be back. */
void db_totals_free(struct db_totals *db_totals);

struct db_totals_waiter {
	LIST_ENTRY(db_totals_waiter) place;
	void (*ready)(struct db_totals_waiter *waiter, const struct db_totals_values *totals);
};

/* Calls `ready` once, from within or later. */
void db_totals_want(struct db_totals *db_totals, struct db_totals_waiter *waiter);
/* Before `ready` was called. */
void db_totals_forget(struct db_totals_waiter *waiter);

#endif
