/*
 * export - the registry's registrations, page by page, for `mailpushctl export`.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_EXPORT_H
#define MAILPUSH_ADMIN_EXPORT_H

#include "base/http.h"
#include "monitor/services.h"

void export_registrations(
	const struct services *services, struct http_request *request, const char *tail);

#endif
