/*
 * clock_watch - was the wall clock set?
 *
 * Waiting is done by the monotonic clock, so nothing is late when somebody sets the other one.  But
 * certificates are judged by it, what looked expired may be good now and the other way round; and
 * so is the age of registrations.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_CLOCK_WATCH_H
#define MAILPUSH_DAEMON_CLOCK_WATCH_H

#include <stdint.h>
#include <uv.h>

struct clock_watch;

/* By a minute or more, within some seconds after it; negative: backwards. */
typedef void clock_watch_fn(void *ctx, int64_t by_ms);

struct clock_watch *clock_watch_new(uv_loop_t *loop, clock_watch_fn *was_set, void *ctx);
void clock_watch_free(struct clock_watch *watch);

#endif
