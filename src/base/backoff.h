/*
 * backoff - how long to wait before the next attempt: twice as long after each failure, up to a
 * bound.
 *
 * Pure; whoever tries keeps the number of failures, and begins again at 0 when it went well.
 */
#ifndef MAILPUSH_BASE_BACKOFF_H
#define MAILPUSH_BASE_BACKOFF_H

#include "base/random.h"

#include <stdint.h>

/* min_ms after the first failure (`failures` 0: those before it), at most max_ms; both positive. */
int64_t backoff_ms(int64_t min_ms, int64_t max_ms, unsigned failures);
/*
 * As that, or shorter by chance, but no shorter than half of min_ms: many daemons that lose Apple
 * in the same second must not come back in the same second, and none must hammer.
 */
int64_t backoff_random_ms(int64_t min_ms, int64_t max_ms, unsigned failures, struct random *random);

#endif
