/*
 * systemd_status - the state of the daemon in one sentence: "2 phones wait, 1 alarm: queue".
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_SYSTEMD_STATUS_H
#define MAILPUSH_DAEMON_SYSTEMD_STATUS_H

#include "queue/queue.h"

/* A longer sentence is cut. */
void systemd_status_print(const struct queue *queue, char *text, size_t size);

#endif
