/*
 * devices - the registrations, for people: list, show, remove, prune.
 *
 * Handlers of the control socket.  The registry knows the registrations, the queue's file what
 * happened last with each.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_DEVICES_H
#define MAILPUSH_ADMIN_DEVICES_H

#include "base/http.h"
#include "monitor/services.h"

void devices_list(const struct services *services, struct http_request *request, const char *tail);
void devices_show(const struct services *services, struct http_request *request, const char *tail);
void devices_remove(
	const struct services *services, struct http_request *request, const char *tail);
void devices_prune(const struct services *services, struct http_request *request, const char *tail);

#endif
