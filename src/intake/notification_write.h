/*
 * notification_write - writes a notification for a program that reads the other transport
 * (EVENTS.md sections 2a and 2b).
 *
 * The two differ in one thing: dlist has NIL beside the empty string.  A datagram has an empty
 * field for both, and omits a file path that is NIL.  So an empty field of a datagram becomes NIL,
 * which Cyrus itself sends in that case; class and message are always strings.
 *
 * Pure.
 */
#ifndef MAILPUSH_INTAKE_NOTIFICATION_WRITE_H
#define MAILPUSH_INTAKE_NOTIFICATION_WRITE_H

#include "base/buf.h"
#include "base/err.h"
#include "intake/notification.h"

/*
 * Cyrus sends no more, and its notifyd silently cuts off the rest (EVENTS.md 2a).
 */
#define NOTIFICATION_WRITE_DATAGRAM_MAX 21267

/* Both append to `ret`. */
void notification_write_to_dlist(const struct notification *notification, struct buf *ret);
/*
 * -EMSGSIZE: it would be longer than NOTIFICATION_WRITE_DATAGRAM_MAX.  -EBADMSG: a field contains a
 * NUL, which would end it.  A failure leaves `ret` unchanged.
 */
int notification_write_to_datagram(
	const struct notification *notification, struct buf *ret, struct err *err);

#endif
