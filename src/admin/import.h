/*
 * import - registrations from elsewhere.  Each becomes a job for the registry among all others;
 * then the queue follows the outcome.
 *
 * An import pushes nothing.  Its answer means that it is on disk.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_IMPORT_H
#define MAILPUSH_ADMIN_IMPORT_H

#include "loop/http.h"
#include "monitor/services.h"

#define IMPORT_REGISTRATIONS_MAX 1000 /* a request */

void import_registrations(
	const struct services *services, struct http_request *request, const char *tail);

#endif
