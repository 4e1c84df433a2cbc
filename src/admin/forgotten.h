/*
 * forgotten - registrations that were removed: when, why, and what Apple answered.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_FORGOTTEN_H
#define MAILPUSH_ADMIN_FORGOTTEN_H

#include "loop/http.h"
#include "monitor/services.h"

void forgotten_list(
	const struct services *services, struct http_request *request, const char *tail);

/* Why it is gone, in words. */
const char *forgotten_meaning(const struct registry_tombstone *tombstone);

#endif
