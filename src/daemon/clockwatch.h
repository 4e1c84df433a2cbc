/*
 * clockwatch - was the wall clock set?
 *
 * Waiting is done by the monotonic clock, so nothing is late when somebody sets the other one.  But
 * certificates are judged by it, what looked expired may be good now and the other way round; and
 * so is the age of registrations.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_CLOCKWATCH_H
#define MAILPUSH_DAEMON_CLOCKWATCH_H

#include <stdint.h>
#include <uv.h>

struct clockwatch;

/* By a minute or more, within some seconds after it; negative: backwards. */
typedef void clockwatch_fn(void *ctx, int64_t by_ms);

struct clockwatch *clockwatch_new(uv_loop_t *loop, clockwatch_fn *was_set, void *ctx);
void clockwatch_free(struct clockwatch *watch);

#endif
