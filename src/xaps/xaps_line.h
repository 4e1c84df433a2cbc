/*
 * xaps_line - the older protocol of Dovecot's plugin for xapsd: a request is one line.
 *
 * A verb, a space, and `key=value` separated by tabs; a value is "text" or ("text","text"), in
 * which a backslash takes the next character as it is:
 *
 *   REGISTER aps-account-id= aps-device-token= aps-subtopic= dovecot-username= dovecot-mailboxes=
 *   NOTIFY dovecot-username= dovecot-mailbox= events=
 *
 * Keys come in any order, and others are ignored.  Without events it is new mail.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_XAPS_XAPS_LINE_H
#define MAILPUSH_XAPS_XAPS_LINE_H

#include "base/err.h"
#include "xaps/xaps_request.h"

#include <stddef.h>

/* The line without its end.  `ret` as of xaps_request_parse_register.  -EINVAL. */
int xaps_line_parse(const char *line, size_t size, const struct xaps_topics *topics,
	struct xaps_request *ret, struct err *err);

#endif
