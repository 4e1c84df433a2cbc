/*
 * health - how the registry's database is doing, for people.
 *
 * The registry's thread writes down each attempt; whoever shows it reads what was written last, so
 * it asks no database and waits for none.  Any thread.
 */
#ifndef MAILPUSH_DRIVER_HEALTH_H
#define MAILPUSH_DRIVER_HEALTH_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What a driver says of its database (ops.h). */
struct registry_description {
	char server[96]; /* and its version, as "PostgreSQL 15.8" */
	char host[256];	 /* or the path; "" if it is not known */
};

/* All times: Unix milliseconds, 0: never. */
struct registry_health {
	bool is_away;
	int64_t since_ms; /* since when it is so; 0: nothing was asked of it yet */
	struct registry_description description;
	char error[ERR_TEXT_MAX]; /* of the last failure; stays when it is over */
	int64_t error_ms;
	int64_t next_try_ms; /* while it is away */
	int64_t batch_us;    /* how long the last batch took that succeeded */
};

struct health {
	pthread_mutex_t lock;
	struct registry_health last;
};

void health_init(struct health *health);
void health_fini(struct health *health);

void health_answered(struct health *health, int64_t now_ms, int64_t batch_us,
	const struct registry_description *description);
void health_failed(struct health *health, int64_t now_ms, int64_t next_try_ms, const char *text);
void health_read(struct health *health, struct registry_health *ret);

#endif
