/*
 * clock - the clocks, in int64 milliseconds.
 *
 * Monotonic time is for waiting and for everything in memory.  Unix time is for the disk and for
 * other programs, and may jump.  Processor time is for how much something costs: a machine that is
 * busy or suspended adds nothing to it.  Pure modules read none of them: `now` is an argument.
 */
#ifndef MAILPUSH_BASE_CLOCK_H
#define MAILPUSH_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_SECOND_MS INT64_C(1000)
#define CLOCK_MINUTE_MS (60 * CLOCK_SECOND_MS)
#define CLOCK_HOUR_MS (60 * CLOCK_MINUTE_MS)
#define CLOCK_DAY_MS (24 * CLOCK_HOUR_MS)

int64_t clock_monotonic_ms(void);
int64_t clock_unix_ms(void);
/* What the calling thread has used of a processor so far. */
int64_t clock_thread_ms(void);

#endif
