/*
 * devices - the registrations: list and show them to people, export and prune them.
 *
 * Handlers of the control socket.  The registry knows the registrations, the queue's file what
 * happened last with each.  A list and an export come page by page.  Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_DEVICES_H
#define MAILPUSH_ADMIN_DEVICES_H

#include "loop/http.h"
#include "monitor/services.h"

/* The key that the rest of a path names; false: it names none, and the request was answered. */
bool devices_key(struct http_request *request, const char *tail, struct registry_key *ret);

void devices_list(const struct services *services, struct http_request *request, const char *tail);
void devices_show(const struct services *services, struct http_request *request, const char *tail);
/* For `mailpushctl export`: as registration_json.h describes them. */
void devices_export(
	const struct services *services, struct http_request *request, const char *tail);
void devices_prune(const struct services *services, struct http_request *request, const char *tail);

#endif
