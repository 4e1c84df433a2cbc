/*
 * forgotten - the registrations that are gone, for people: when, why, and what Apple said.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_FORGOTTEN_H
#define MAILPUSH_ADMIN_FORGOTTEN_H

#include "base/http.h"
#include "monitor/services.h"

void forgotten_list(
	const struct services *services, struct http_request *request, const char *tail);

#endif
