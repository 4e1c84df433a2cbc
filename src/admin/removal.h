/*
 * removal - registrations that an administrator removes by their keys, and everything of a user.
 *
 * What waits for them in the queue goes too.  Of a user the traces go as well, and what the queue
 * still holds of a registration that the registry knows no more.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_REMOVAL_H
#define MAILPUSH_ADMIN_REMOVAL_H

#include "base/http.h"
#include "monitor/services.h"

#define REMOVAL_KEYS_MAX 1000 /* a request */

void removal_devices(
	const struct services *services, struct http_request *request, const char *tail);
void removal_user(const struct services *services, struct http_request *request, const char *tail);

#endif
