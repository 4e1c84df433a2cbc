/*
 * xaps_request - a request of Dovecot's plugin for xapsd, taken apart: the JSON of its HTTP API.
 *
 * It knows two: a phone registers, and something happened in a mailbox.  What is asked for is
 * checked as xapsd checks it; xaps_event.h checks the values.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_XAPS_XAPS_REQUEST_H
#define MAILPUSH_XAPS_XAPS_REQUEST_H

#include "base/err.h"

#include <stddef.h>

enum xaps_request_kind {
	XAPS_REQUEST_REGISTER,
	XAPS_REQUEST_NOTIFY,
	XAPS_REQUEST_NOTHING, /* about another mailbox than INBOX, from which nothing follows */
};

#define XAPS_REQUEST_SUBTOPIC "com.apple.mobilemail"

/* The answer to the phones of a user: a topic; "": there is none. */
struct xaps_topics {
	const char *(*of)(void *ctx, const char *user);
	void *ctx;
};

struct xaps_request {
	enum xaps_request_kind kind;
	char *user;  /* as it came */
	char *topic; /* REGISTER: the answer to the phone; else NULL */
	char *event; /* what follows, as xaps_event.h has it; NULL: nothing */
};

/* On failure *ret stays as it was.  -EINVAL. */
int xaps_request_parse_register(const char *json, size_t size, const struct xaps_topics *topics,
	struct xaps_request *ret, struct err *err);
int xaps_request_parse_notify(
	const char *json, size_t size, struct xaps_request *ret, struct err *err);
void xaps_request_fini(struct xaps_request *request);

struct json_t;
/* What the parsers of both doors make of its parts; `mailboxes` and `events` are arrays of texts.
 */
int xaps_request_register(const char *user, const char *token, const char *account_id,
	const char *subtopic, struct json_t *mailboxes, const struct xaps_topics *topics,
	struct xaps_request *ret, struct err *err);
int xaps_request_notify(const char *user, const char *mailbox, const struct json_t *events,
	struct xaps_request *ret, struct err *err);

#endif
