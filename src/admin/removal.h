/*
 * removal - removes registrations by their keys, or everything of a user.
 *
 * Their pending news goes too.  With a user go the tombstones as well, and pushes of registrations
 * that the registry no longer has.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_REMOVAL_H
#define MAILPUSH_ADMIN_REMOVAL_H

#include "loop/http.h"
#include "monitor/services.h"

#define REMOVAL_KEYS_MAX 1000 /* a request */

/* One by its key, at the end of the path. */
void removal_device(
	const struct services *services, struct http_request *request, const char *tail);
void removal_devices(
	const struct services *services, struct http_request *request, const char *tail);
void removal_user(const struct services *services, struct http_request *request, const char *tail);

#endif
