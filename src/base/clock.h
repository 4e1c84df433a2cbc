/*
 * clock - the two clocks, in int64 milliseconds.
 *
 * Monotonic time is for waiting and for everything in memory.  Unix time is for the disk and for
 * other programs, and may jump.  Pure modules read neither: `now` is an argument.
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

#endif
