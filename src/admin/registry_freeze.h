/*
 * registry_freeze - nothing changes in the registry, so that it can be copied and another one takes
 * its place.
 *
 * Events and registrations are parked meanwhile, as if the registry were away.  It lasts until it
 * is thawed or the daemon ends; an alarm stands.
 */
#ifndef MAILPUSH_ADMIN_REGISTRY_FREEZE_H
#define MAILPUSH_ADMIN_REGISTRY_FREEZE_H

#include "loop/http.h"
#include "monitor/services.h"

/* True: the registry is frozen, and the request, which needs it, was answered so. */
bool registry_freeze_refuses(const struct services *services, struct http_request *request);
/* Answers when all that was asked of the registry before is done. */
void registry_freeze_begin(
	const struct services *services, struct http_request *request, const char *tail);
void registry_freeze_end(
	const struct services *services, struct http_request *request, const char *tail);

#endif
