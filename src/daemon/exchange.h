/*
 * exchange - a request of the control socket that waits for the databases: whoever made it may be
 * gone before they answer.
 *
 * Embedded in what answers it; that must live until the inquiry came back.  Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_EXCHANGE_H
#define MAILPUSH_DAEMON_EXCHANGE_H

#include "base/http.h"
#include "daemon/ask.h"
#include "daemon/inquiry.h"

struct exchange {
	struct inquiry inquiry;
	struct core *core;
	struct http_request *request; /* NULL: gone */
	bool full;		      /* full=1 is in the query: nothing is masked */
	char *user;		      /* owned; NULL until set */
};

void exchange_init(struct exchange *exchange, struct core *core, struct http_request *request);
void exchange_fini(struct exchange *exchange);
/* Nobody waits, or the database is being stopped (`status`), which is answered here. */
bool exchange_is_over(struct exchange *exchange, int status);

/* Reads a request's body; false: it makes no sense, and was answered.  Else ask_fini is due. */
bool exchange_asks(struct http_request *request, struct ask *ret);

#endif
