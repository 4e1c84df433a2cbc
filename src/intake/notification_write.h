/*
 * notification_write - writes a notification for a program that reads the other transport
 * (EVENTS.md sections 2a and 2b).
 *
 * The two differ in one thing: dlist has NIL beside the empty string.  A datagram has an empty
 * field for both, and leaves a file path that is NIL out.  So an empty field of a datagram becomes
 * NIL, which is what Cyrus itself sends for it; class and message are strings always.
 *
 * Pure.
 */
#ifndef MAILPUSH_INTAKE_NOTIFICATION_WRITE_H
#define MAILPUSH_INTAKE_NOTIFICATION_WRITE_H

#include "base/buf.h"
#include "base/err.h"
#include "intake/notification.h"

/*
 * The most that Cyrus sends, and that its notifyd reads: it cuts off the rest silently (EVENTS.md
 * 2a).
 */
#define NOTIFICATION_WRITE_DATAGRAM_MAX 21267

/* Both append to `ret`. */
void notification_write_to_dlist(const struct notification *notification, struct buf *ret);
/*
 * -EMSGSIZE: it would be longer than NOTIFICATION_WRITE_DATAGRAM_MAX.  -EBADMSG: a field contains a
 * NUL, which would end it.  `ret` is then as it was.
 */
int notification_write_to_datagram(
	const struct notification *notification, struct buf *ret, struct err *err);

#endif
