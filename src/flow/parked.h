/*
 * parked - events that an earlier run parked in the queue's file, kept until the parts stand.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_FLOW_PARKED_H
#define MAILPUSH_FLOW_PARKED_H

#include "flow/arrival.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed: none. */
struct parked {
	struct parked_event *events;
	size_t count;
};

void parked_add(
	struct parked *parked, uint64_t id, int64_t received_ms, const char *raw, size_t raw_size);
/* Hands all over; none is left. */
void parked_replay(struct parked *parked, struct arrivals *arrivals);
void parked_fini(struct parked *parked);

#endif
