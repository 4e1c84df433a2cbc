/*
 * backoff - how long to wait before the next attempt: twice as long after each failure, up to a
 * bound.
 *
 * Pure; the caller counts the failures, and sets the count to 0 after a success.
 */
#ifndef MAILPUSH_BASE_BACKOFF_H
#define MAILPUSH_BASE_BACKOFF_H

#include "base/random.h"

#include <stdint.h>

/* min_ms after the first failure (`failures` 0: those before it), at most max_ms; both positive. */
int64_t backoff_ms(int64_t min_ms, int64_t max_ms, unsigned failures);
/*
 * The same, shortened at random, to half of min_ms at least: many daemons that lose Apple in the
 * same second must not come back in the same second, and none may hammer.
 */
int64_t backoff_random_ms(int64_t min_ms, int64_t max_ms, unsigned failures, struct random *random);

#endif
