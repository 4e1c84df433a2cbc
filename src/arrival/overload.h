/*
 * overload - how much may wait on its way in, and what happens when more comes.
 *
 * The measure is `max_waiting`: events, a large one counted as several, so that it bounds memory as
 * well.  Merged events count as the largest of them, and each further sender that waits as one
 * more.  Once so many wait, until a tenth of them is done, the stream socket is not read and an
 * alarm stands.  Meanwhile news whose sender does not wait is shed: deferred news at once, urgent
 * news when an eighth more waits.  A registration is never shed.  Half of
 * `max_waiting` is beyond the reach of guests.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_OVERLOAD_H
#define MAILPUSH_ARRIVAL_OVERLOAD_H

#include "event/relay.h"
#include "stats/metrics.h"

#include <stdbool.h>
#include <stddef.h>

/* Nearly all events are smaller; each further piece of this size counts as an event. */
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

void overload_set_max(struct overload *overload, uint64_t max_waiting);

/* An event of so many bytes begins to wait, or 0: one more sender of a merged one; or ends. */
void overload_enter(struct overload *overload, size_t bytes);
void overload_leave(struct overload *overload, size_t bytes);
bool overload_has_room_for_guests(const struct overload *overload);
/* Is news whose sender does not wait shed?  Then it is counted, and logged once a minute. */
bool overload_sheds(struct overload *overload, enum relay_action action);

#endif
