/*
 * request - a notification as one dlist request (intake/dlist.h).
 *
 * Every value is a literal: so no byte that notifyd passes on needs quoting.  Pure.
 */
#ifndef MAILPUSH_NOTIFY_REQUEST_H
#define MAILPUSH_NOTIFY_REQUEST_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* The values of the command line; only `filepath` may be NULL. */
struct request_fields {
	const char *class;
	const char *priority;
	const char *user;
	const char *mailbox;
	const char *filepath;
};

/*
 * Reads `-c CLASS -p PRIO -u USER -m MAILBOX -f [FILE]`, in any order, without the program's name.
 * The word after an option is its value, whatever it begins with; -f, which notifyd puts last, need
 * not have one.  -EINVAL with a text for anything else.
 */
int request_read_arguments(
	int count, char *const *words, struct request_fields *ret, struct err *err);

/* -EMSGSIZE if it would exceed the daemon's limit (DLIST_REQUEST_MAX). */
int request_write(const struct request_fields *fields, const void *message, size_t message_size,
	int64_t received_ms, struct buf *ret, struct err *err);

#endif
