/*
 * systemd - tells systemd how the daemon is: that it is ready, reloads or stops, a sentence on
 * how it does, and, for as long as the loop turns, that it turns.
 *
 * The protocol is sd_notify(3)'s, datagrams of NAME=value lines to $NOTIFY_SOCKET; it needs no
 * library, and whatever else speaks it may be the systemd.
 *
 * The watchdog is fed by the loop alone, never for the worker threads: a disk or a database that
 * stalls is an alarm, and to kill the daemon for it would lose the events that its memory holds.  A
 * loop that hangs holds up Cyrus, and then a new start is right.
 *
 * Never waits: what cannot be said at once is said with the next turn of its timer, if it still
 * matters.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_SYSTEMD_H
#define MAILPUSH_DAEMON_SYSTEMD_H

#include "base/err.h"

#include <stddef.h>
#include <uv.h>

struct systemd;

/* Puts one sentence for people into `text`; called every few seconds, must not be costly. */
typedef void systemd_status_fn(void *ctx, char *text, size_t size);

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment, so
 * that no program that we run speaks for us.  `*ret` is NULL if nobody supervises us, and then all
 * functions below do nothing.  -EINVAL: one of the variables makes no sense.
 */
int systemd_new(uv_loop_t *loop, systemd_status_fn *status, void *ctx, struct systemd **ret,
	struct err *err);
/* The loop frees it in its next turn. */
void systemd_free(struct systemd *systemd);

/* The start, or a reload, is over. */
void systemd_ready(struct systemd *systemd);
void systemd_reloading(struct systemd *systemd);
void systemd_stopping(struct systemd *systemd);

#endif
