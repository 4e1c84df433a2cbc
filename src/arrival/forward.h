/*
 * forward - notifications for other programs.
 *
 * Cyrus' notify socket gets more than events: notifications of Sieve scripts, of mailnotifier, and
 * of httpd about invitations are for Cyrus' own notifyd.  They are passed on to forward_socket byte
 * for byte; for a target of the other transport they are written again (notification_write.h).
 *
 * Nobody waits for the target.  The sender is answered as soon as its notification is in the queue
 * here: Cyrus does nothing with an answer but log it, and waits for it with its locks held, so a
 * slow target would slow mail down and gain nothing.  One notification is given at a time, in the
 * order in which they came, and none twice.  The queue is in memory and bounded.  A notification
 * that finds no room, or is refused, is counted, and logged once a minute at most.  An alarm stands
 * while the target takes nothing.
 *
 * Without a target these notifications are dropped, and each class is logged once.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_FORWARD_H
#define MAILPUSH_ARRIVAL_FORWARD_H

#include "base/err.h"
#include "intake/notification.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define FORWARD_WAITING_MAX 10000
#define FORWARD_BYTES_MAX (16 * 1024 * 1024) /* of what waits */

struct forward_settings {
	const char *target; /* a path, one behind `dlist:`, or "" for none */
	/* For tests; 0: the usual ones. */
	int64_t retry_ms;
	int64_t alarm_ms;
	int64_t room_ms;
	int64_t answer_ms;
};

struct forward_counts {
	uint64_t passed;   /* to the target */
	uint64_t lost;	   /* no room, refused, unanswered, or not to be written as a datagram */
	uint64_t unwanted; /* without a target */
	size_t waiting;
};

struct forward;

struct forward *forward_new(uv_loop_t *loop, const struct forward_settings *settings);
/* Notifications that still wait are lost, and logged. */
void forward_free(struct forward *forward);

/*
 * 0: it is passed on, or dropped as there is no target.  -EAGAIN: there is no room for it now.
 * -EBADMSG: no datagram can carry it, and the target takes nothing else.
 */
int forward_take(struct forward *forward, const struct notification *notification, struct err *err);

/* Nothing waits, or the target is away. */
bool forward_is_quiet(const struct forward *forward);
void forward_count(const struct forward *forward, struct forward_counts *ret);

#endif
