/*
 * overload - how much may wait on its way in, and what happens when more comes.
 *
 * The measure is `max_waiting`: events, a large one counted as several, so that it bounds memory as
 * well.  Once so many wait, until a tenth of them is done, the stream socket is not read and an
 * alarm stands; meanwhile news that nobody waits for is shed: deferred news at once, new mail when
 * an eighth more waits, a registration never.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_OVERLOAD_H
#define MAILPUSH_ARRIVAL_OVERLOAD_H

#include "event/relay.h"
#include "stats/metrics.h"

#include <stdbool.h>
#include <stddef.h>

/* More than nearly all events have; each further such piece of one counts as an event. */
#define OVERLOAD_EVENT_BYTES 4096

struct overload;

struct overload_needs {
	uint64_t max_waiting;
	struct metrics *metrics;
	void (*pause)(void *ctx, bool is_paused);
	void *ctx;
};

struct overload *overload_new(const struct overload_needs *needs);
void overload_free(struct overload *overload);

/* An event of so many bytes waits from now on; or no longer. */
void overload_enter(struct overload *overload, size_t bytes);
void overload_leave(struct overload *overload, size_t bytes);
/* Is news that nobody waits for to be shed?  Then it is counted, and logged once a minute. */
bool overload_sheds(struct overload *overload, enum relay_action action);

#endif
