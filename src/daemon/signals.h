/*
 * signals - SIGTERM, SIGINT and SIGHUP, from the start to the very end of the process.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_SIGNALS_H
#define MAILPUSH_DAEMON_SIGNALS_H

#include <uv.h>

#define SIGNALS_COUNT 3

typedef void signals_fn(void *ctx, int number);

struct signals {
	signals_fn *came;
	void *ctx;
	uv_signal_t watchers[SIGNALS_COUNT];
};

/* Closing the loop ends the watch. */
void signals_watch(struct signals *signals, uv_loop_t *loop, signals_fn *came, void *ctx);
/* From now on the process ignores them. */
void signals_ignore(void);

#endif
