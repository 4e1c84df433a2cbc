/*
 * systemd - notifies systemd that the daemon is ready, reloads or stops, sends its status in a
 * sentence, and feeds the watchdog while the loop turns.
 *
 * The protocol is that of sd_notify(3): datagrams of NAME=value lines to $NOTIFY_SOCKET.  It needs
 * no library, and any supervisor may speak it.
 *
 * Only the loop feeds the watchdog, whatever the worker threads do: a disk or a database that
 * stalls raises an alarm, and killing the daemon would lose the events in its memory.  A loop that
 * hangs delays Cyrus, and then a restart is right.
 *
 * It never waits: what it cannot send at once it sends with the next turn of its timer, if it still
 * matters.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_SYSTEMD_H
#define MAILPUSH_DAEMON_SYSTEMD_H

#include "base/err.h"

#include <stddef.h>
#include <uv.h>

struct systemd;

/* Writes one sentence for people to `text`.  Called every few seconds, so it must be cheap. */
typedef void systemd_status_fn(void *ctx, char *text, size_t size);

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them from the environment, so
 * that no child process speaks for us.  `*ret` is NULL if no supervisor is there, and then all
 * functions below do nothing.  -EINVAL: one of the variables is invalid.
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
