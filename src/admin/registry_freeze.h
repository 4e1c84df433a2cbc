/*
 * registry_freeze - the registry stands still, so that it can be copied and another one takes its
 * place.
 *
 * Events and registrations are parked meanwhile, as if the registry were away.  It lasts until it
 * is thawed or the daemon ends; an alarm stands.
 */
#ifndef MAILPUSH_ADMIN_REGISTRY_FREEZE_H
#define MAILPUSH_ADMIN_REGISTRY_FREEZE_H

#include "base/http.h"
#include "monitor/services.h"

/* Answers when all that was asked of the registry before is done. */
void registry_freeze_begin(
	const struct services *services, struct http_request *request, const char *tail);
void registry_freeze_end(
	const struct services *services, struct http_request *request, const char *tail);

#endif
