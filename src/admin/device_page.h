/*
 * device_page - a page of registrations: which one a request asks for, and where the next one
 * begins.
 */
#ifndef MAILPUSH_ADMIN_DEVICE_PAGE_H
#define MAILPUSH_ADMIN_DEVICE_PAGE_H

#include "admin/deferred_request.h"

#include <jansson.h>

/* Begins `deferred` with its query.  False: the request is invalid, and was answered. */
bool device_page_read(struct http_request *request, const struct services *services,
	struct deferred_request *deferred);
/* null: this is the last page. */
json_t *device_page_next(const struct registry_listing *listing);

#endif
