/*
 * clock_watch - was the wall clock set?
 *
 * The daemon waits by the monotonic clock, so nothing is late when somebody sets the wall clock.
 * But the validity of certificates and the age of registrations depend on the wall clock, and both
 * may have changed.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_CLOCK_WATCH_H
#define MAILPUSH_DAEMON_CLOCK_WATCH_H

#include <stdint.h>
#include <uv.h>

struct clock_watch;

/* Called within some seconds after the clock was set by a minute or more; negative: backwards. */
typedef void clock_watch_fn(void *ctx, int64_t by_ms);

struct clock_watch *clock_watch_new(uv_loop_t *loop, clock_watch_fn *was_set, void *ctx);
void clock_watch_free(struct clock_watch *watch);

#endif
