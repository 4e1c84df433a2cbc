/*
 * deferred_request - a request of the control socket that waits for a database.  The client may be
 * gone before the database answers.
 *
 * Embedded in the struct that answers it, which must live until the db_query is back.  Loop thread
 * only.
 */
#ifndef MAILPUSH_ADMIN_DEFERRED_REQUEST_H
#define MAILPUSH_ADMIN_DEFERRED_REQUEST_H

#include "admin/request_params.h"
#include "loop/http.h"
#include "monitor/db_query.h"

struct deferred_request {
	struct db_query db_query;
	const struct services *services;
	struct http_request *request; /* NULL: gone */
	bool full;		      /* full=1 is in the query: nothing is masked */
	char *user;		      /* owned; NULL until set */
};

void deferred_request_init(struct deferred_request *deferred, const struct services *services,
	struct http_request *request);
void deferred_request_fini(struct deferred_request *deferred);
/* True: the client is gone, or the database did not do it (`status`), which is answered here. */
bool deferred_request_is_over(struct deferred_request *deferred, int status);

/* Reads a request's body.  False: it is invalid, and the request was answered.  True: the caller
 * must call request_params_fini. */
bool deferred_request_read_params(struct http_request *request, struct request_params *ret);

#endif
