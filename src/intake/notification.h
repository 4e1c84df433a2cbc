/*
 * notification - one request of Cyrus' notify protocol, whichever socket it came through.
 *
 * All fields are borrowed from the bytes that came and are valid during the callback only.  Only
 * classes EVENT and DOVECOT are read here; their message is the JSON of an event.
 */
#ifndef MAILPUSH_INTAKE_NOTIFICATION_H
#define MAILPUSH_INTAKE_NOTIFICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct notification_field {
	const char *bytes; /* not NUL-terminated; NULL for NIL */
	size_t size;
};

#define NOTIFICATION_OPTIONS_MAX 64

struct notification {
	struct notification_field method;
	struct notification_field class;
	struct notification_field priority;
	struct notification_field user;
	struct notification_field mailbox;
	struct notification_field message;
	struct notification_field filepath;
	struct notification_field options[NOTIFICATION_OPTIONS_MAX];
	unsigned option_count;
	int64_t received_ms;	       /* Unix, as the sender says; 0: unknown */
	struct notification_field raw; /* the whole notification, as it came */
	bool is_dlist;		       /* raw is a request of dlist; else a datagram */
	uid_t sender;		       /* the kernel vouches for it; not set for a datagram */
};

bool notification_is_event(const struct notification *notification);
/* Of class DOVECOT, of Dovecot's plugin. */
bool notification_is_dovecots(const struct notification *notification);

/* Why what came at a door is rejected. */
enum notification_fault {
	NOTIFICATION_NOT_ALLOWED, /* its sender is not, or is not known */
	NOTIFICATION_MALFORMED,
	NOTIFICATION_INCOMPLETE /* it did not come in whole, or not in time */
};

#endif
