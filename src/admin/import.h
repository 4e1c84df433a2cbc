/*
 * import - registrations that are brought from elsewhere: each becomes a job of the registry's
 * among all others, and the queue follows what became of it.
 *
 * Nothing is pushed for it.  What was answered is on disk.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_IMPORT_H
#define MAILPUSH_ADMIN_IMPORT_H

#include "base/http.h"
#include "monitor/services.h"

#define IMPORT_REGISTRATIONS_MAX 1000 /* a request */

void import_registrations(
	const struct services *services, struct http_request *request, const char *tail);

#endif
