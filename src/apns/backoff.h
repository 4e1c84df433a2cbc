/*
 * backoff - how long to wait before the next attempt: twice as long each time, with full jitter.
 *
 * Many daemons that lose Apple in the same second must not come back in the same second.  A delay
 * is anywhere between half the smallest and the present bound, so that chance never makes it a
 * hammering.
 *
 * Pure but for its chance.
 */
#ifndef MAILPUSH_APNS_BACKOFF_H
#define MAILPUSH_APNS_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t min_ms;
	int64_t max_ms;
	int64_t bound_ms; /* of the next delay */
	uint64_t chance;
};

void backoff_init(struct backoff *backoff, int64_t min_ms, int64_t max_ms, uint64_t seed);
/* The delay before the next attempt. */
int64_t backoff_next_ms(struct backoff *backoff);
/* It went well: the next delay is a small one again. */
void backoff_reset(struct backoff *backoff);

#endif
